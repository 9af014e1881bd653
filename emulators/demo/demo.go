// Package demo gives a fresh Segue its first music: real tracks under free
// licences, sent through the real ingest as any label would send them. What the
// catalogue has already, by the file's SHA-256, is not sent again, so a restart
// goes on where the last run stopped.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/harness"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// piece is one file to upload.
type piece struct {
	file        string
	contentType string
	metadata    ingest.Metadata
	cover       string // a picture's file; "": none
}

// catalogue is where the music goes.
type catalogue struct {
	client *client.Client
	find   func(ctx context.Context, sha256 []byte) (*harness.Source, error)
	out    io.Writer
	covers *covers
}

func open(h *harness.Harness) catalogue {
	return catalogue{
		client: &client.Client{BaseURL: h.URL(), HTTP: http.DefaultClient, Token: func() (string, error) { return h.Token("LABEL") }},
		find:   h.FindSource, out: h.Log("demo"), covers: &covers{uploads: map[string]string{}},
	}
}

func downloads(h *harness.Harness) string { return filepath.Join(h.Data(), "downloads") }

// First sends the first tracks and returns when they can be played.
func First(ctx context.Context, h *harness.Harness) error {
	c := open(h)
	pieces, err := first(ctx, downloads(h), c.out)
	if err != nil {
		return fmt.Errorf("demo music: %w", err)
	}
	tracks := make([]string, len(pieces))
	g, gctx := errgroup.WithContext(ctx)
	for i, p := range pieces {
		g.Go(func() (err error) {
			tracks[i], _, err = c.bring(gctx, p, true)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, track := range tracks {
		if err := h.AddDemoTrack(track); err != nil {
			return err
		}
	}
	return nil
}

// Rest goes on with the other tracks of the first album.
func Rest(ctx context.Context, h *harness.Harness) error {
	return open(h).all(ctx, downloads(h), singularity)
}

// Full goes on with all albums.
func Full(ctx context.Context, h *harness.Harness) error {
	return open(h).all(ctx, downloads(h), singularity, wesnoth, warzone)
}

// all sends the packages' tracks, one after the other: what somebody uploads
// meanwhile waits for one track, not for an album.
func (c catalogue) all(ctx context.Context, dir string, sources ...source) error {
	var pieces []piece
	for _, s := range sources {
		found, err := s.pieces(ctx, dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(c.out, "Debian's package %s cannot be had: %v\n", s.pkg, err)
			continue
		}
		pieces = append(pieces, found...)
	}
	progress := newProgress(ctx, c.out, pieces)
	for i, p := range pieces {
		_, sent, err := c.bring(ctx, p, false)
		if ctx.Err() != nil {
			return ctx.Err() // what is under way is found by the next run
		}
		progress.done(i, sent, err)
	}
	progress.end()
	return nil
}

// bring returns the file's track when it can be played; sent: there was
// something to do.
func (c catalogue) bring(ctx context.Context, p piece, loud bool) (track string, sent bool, err error) {
	source, err := c.look(ctx, p)
	if err != nil {
		return "", false, err
	}
	if source != nil && source.Playable {
		return source.TrackID, false, nil
	}
	track, err = c.finish(ctx, p, source, loud)
	return track, true, err
}

func (c catalogue) look(ctx context.Context, p piece) (*harness.Source, error) {
	sum, err := hash(p.file)
	if err != nil {
		return nil, err
	}
	source, err := c.find(ctx, sum)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(p.file), err)
	}
	return source, nil
}

// finish follows an upload that is under way, or begins one.
func (c catalogue) finish(ctx context.Context, p piece, source *harness.Source, loud bool) (track string, err error) {
	name := filepath.Base(p.file)
	if source == nil {
		p.metadata.Cover = c.cover(ctx, p.cover)
		t, err := c.client.Upload(ctx, p.file, client.Announcement{Filename: name, ContentType: p.contentType, Metadata: p.metadata})
		if err != nil {
			return "", err
		}
		source = &harness.Source{UploadID: t.ID}
	}
	last := time.Now()
	s, err := c.client.Follow(ctx, source.UploadID, time.Second, func(s client.Status) {
		if loud && time.Since(last) > 5*time.Second {
			fmt.Fprintf(c.out, "%s %3.0f %%\n", name, 100*s.Progress)
			last = time.Now()
		}
	})
	if err != nil {
		return "", err
	}
	switch s.Status {
	case ingest.Playable:
		if loud {
			fmt.Fprintf(c.out, "%s: track %s\n", name, s.TrackID)
		}
		return s.TrackID, nil
	case ingest.Duplicate:
		// An upload of an earlier run was quicker: it is the one to wait for.
		return c.await(ctx, p, s.DuplicateOf)
	}
	return "", errors.New(name + ": " + strings.TrimSpace(string(s.Status)+" "+s.Reason))
}

func (c catalogue) await(ctx context.Context, p piece, track string) (string, error) {
	source, err := c.look(ctx, p)
	switch {
	case err != nil:
		return "", err
	case source == nil:
		return track, nil // the same recording, in another file
	case source.Playable:
		return source.TrackID, nil
	}
	return c.finish(ctx, p, source, true)
}
