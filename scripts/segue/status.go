package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
)

// outcome is a line about an upload.
type outcome struct {
	File        string        `json:"file,omitempty"`
	ID          string        `json:"id,omitempty"`
	Status      ingest.Status `json:"status,omitempty"`
	Progress    float64       `json:"progress"`
	Reason      string        `json:"reason,omitempty"`
	TrackID     string        `json:"track_id,omitempty"`
	DuplicateOf string        `json:"duplicate_of,omitempty"`
	ImageID     string        `json:"image_id,omitempty"`
	Warnings    []string      `json:"warnings,omitempty"`
	// Error is why the status is not known.
	Error string `json:"error,omitempty"`
}

func (o outcome) of(s client.Status) outcome {
	o.ID, o.Status, o.Progress = s.ID, s.Status, s.Progress
	o.Reason, o.TrackID, o.DuplicateOf = s.Reason, s.TrackID, s.DuplicateOf
	o.ImageID, o.Warnings = s.ImageID, s.Warnings
	return o
}

func (o outcome) failed(err error) outcome {
	o.Error = err.Error()
	return o
}

// bad is what makes the exit code 1. A duplicate is in the catalogue: good.
func (o outcome) bad() bool { return o.Error != "" || o.Status == ingest.Failed }

func (o outcome) String() string {
	name := o.ID
	if o.File != "" {
		name = o.File
	}
	if o.Error != "" {
		return name + ": " + o.Error
	}
	line := name + ": " + string(o.Status)
	if o.Status == ingest.Processing {
		line += fmt.Sprintf(" %.0f %%", 100*o.Progress)
	}
	if o.File != "" && (o.Status == ingest.Waiting || o.Status == ingest.Processing) {
		line += ", upload " + o.ID
	}
	for _, part := range [][2]string{{", track ", o.TrackID}, {" of ", o.DuplicateOf}, {", image ", o.ImageID}, {": ", o.Reason}, {"; ", strings.Join(o.Warnings, "; ")}} {
		if part[1] != "" {
			line += part[0] + part[1]
		}
	}
	return line
}

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "status UPLOAD…", Short: "Tell what became of uploads", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.status(cmd.Context(), args, watch) },
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "tell of each change until all are settled")
	return cmd
}

func (a *app) status(ctx context.Context, uploads []string, watch bool) error {
	for _, upload := range uploads {
		if !id.Valid(upload) {
			return usage{fmt.Errorf("%q is not the id of an upload", upload)}
		}
	}
	c := &console{a: a}
	cl, err := a.client(c, "SEGUE_TOKEN_LABEL")
	if err != nil {
		return err
	}
	var failed atomic.Bool
	tell := func(o outcome) error {
		if o.bad() {
			failed.Store(true)
		}
		return c.result(o)
	}
	if watch {
		err = a.watch(ctx, cl, uploads, tell)
	} else {
		for _, upload := range uploads {
			o := outcome{ID: upload}
			if s, e := cl.Status(ctx, upload); e != nil {
				o = o.failed(e)
			} else {
				o = o.of(s)
			}
			err = errors.Join(err, tell(o))
		}
	}
	if err == nil && failed.Load() {
		return errFailed
	}
	return err
}

// watch follows all at once.
func (a *app) watch(ctx context.Context, cl *client.Client, uploads []string, tell func(outcome) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(uploads))
	for i, upload := range uploads {
		wg.Go(func() {
			var last client.Status
			_, err := cl.Follow(ctx, upload, a.poll, func(s client.Status) {
				if !reflect.DeepEqual(s, last) {
					errs[i] = errors.Join(errs[i], tell(outcome{}.of(s)))
				}
				last = s
			})
			if err != nil {
				errs[i] = errors.Join(errs[i], tell(outcome{ID: upload}.failed(err)))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
