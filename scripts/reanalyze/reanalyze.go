package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest/analysis"
)

// batch is how many tracks are asked for in one transaction.
const batch = 100

// selection is which tracks are meant.
type selection struct {
	track  string
	all    bool
	dryRun bool
}

type deps struct {
	writer  *event.Writer
	uploads *storage.BucketHandle
	out     io.Writer
}

// candidate is a playable track, with where its source lies.
type candidate struct {
	TrackID    string             `spanner:"TrackId"`
	UploadID   string             `spanner:"UploadId"`
	Object     spanner.NullString `spanner:"Object"`
	Generation spanner.NullInt64  `spanner:"Generation"`
	Samples    int64              `spanner:"SourceSamples"`
	Rate       int64              `spanner:"SourceSampleRate"`
	Version    spanner.NullInt64  `spanner:"Version"`
	gone       bool
}

// reanalyze asks for the analysis of what s means, a batch after the other. Each
// batch is one transaction with its events: end it where you may, what was asked
// for stays so, and to run it again asks for the rest (and again for what the
// function has not done yet, which does no harm).
func reanalyze(ctx context.Context, d deps, s selection) error {
	var seen, asked, gone int
	verb := "asked for"
	if s.dryRun {
		verb = "would be asked for"
	}
	for after := ""; ; {
		page, err := d.find(ctx, s, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].TrackID
		if err := d.look(ctx, page); err != nil {
			return err
		}
		present := page[:0:0]
		for _, c := range page {
			if c.gone {
				fmt.Fprintf(d.out, "track %s: its source is gone (upload %s)\n", c.TrackID, c.UploadID)
				gone++
				continue
			}
			present = append(present, c)
		}
		if !s.dryRun {
			if err := d.ask(ctx, present); err != nil {
				return err
			}
		}
		seen, asked = seen+len(page), asked+len(present)
		fmt.Fprintf(d.out, "%d tracks: %d %s, %d without a source\n", seen, asked, verb, gone)
	}
	switch {
	case seen == 0 && s.track != "":
		return fmt.Errorf("there is no playable track %s", s.track)
	case gone > 0 && s.track != "":
		return errors.New("it cannot be analysed without its source")
	case seen == 0:
		fmt.Fprintf(d.out, "nothing to do: every playable track has an analysis of version %d\n", analysis.Version)
	}
	return nil
}

// find reads the next tracks, by id.
func (d deps) find(ctx context.Context, s selection, after string) ([]*candidate, error) {
	var page []*candidate
	rows := d.writer.Spanner.Single().Query(ctx, spanner.Statement{
		SQL: `SELECT t.TrackId, t.UploadId, u.Object, u.Generation, t.SourceSamples, t.SourceSampleRate, a.Version
			FROM Tracks t LEFT JOIN Uploads u ON u.UploadId = t.UploadId LEFT JOIN TrackAnalyses a ON a.TrackId = t.TrackId
			WHERE t.State = @playable AND t.TrackId > @after AND (@track = '' OR t.TrackId = @track)
				AND (@any OR a.Version IS NULL OR a.Version < @current)
			ORDER BY t.TrackId LIMIT @batch`,
		Params: map[string]any{
			"playable": catalog.StatePlayable, "after": after, "track": s.track, "any": s.all || s.track != "",
			"current": int64(analysis.Version), "batch": int64(batch),
		},
	})
	err := rows.Do(func(r *spanner.Row) error {
		c := new(candidate)
		page = append(page, c)
		return r.ToStructLenient(c)
	})
	if err != nil {
		return nil, fmt.Errorf("read tracks: %w", err)
	}
	return page, nil
}

// look finds out whose source is gone.
func (d deps) look(ctx context.Context, page []*candidate) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, c := range page {
		if !c.Object.Valid || !c.Generation.Valid {
			c.gone = true
			continue
		}
		g.Go(func() error {
			_, err := d.uploads.Object(c.Object.StringVal).Generation(c.Generation.Int64).Attrs(ctx)
			if c.gone = errors.Is(err, storage.ErrObjectNotExist); c.gone || err == nil {
				return nil
			}
			return fmt.Errorf("look up the source of track %s: %w", c.TrackID, err)
		})
	}
	return g.Wait()
}

// ask marks what the tracks have as outdated, for else the function would leave
// what is of its version as it is, and asks for them, in one transaction.
func (d deps) ask(ctx context.Context, page []*candidate) error {
	err := d.writer.Write(ctx, func(_ context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		var events []proto.Message
		var rows []*spanner.Mutation
		for _, c := range page {
			if c.Version.Valid && c.Version.Int64 >= analysis.Version {
				rows = append(rows, spanner.Update("TrackAnalyses", []string{"TrackId", "Version"}, []any{c.TrackID, int64(0)}))
			}
			events = append(events, &eventpb.AnalysisRequested{
				UploadId: c.UploadID, TrackId: c.TrackID, Object: c.Object.StringVal, Generation: c.Generation.Int64,
				SourceSamples: c.Samples, SourceSampleRate: int32(c.Rate),
			})
		}
		return events, tx.BufferWrite(rows)
	})
	if err != nil {
		return fmt.Errorf("ask for the analysis of %d tracks: %w", len(page), err)
	}
	return nil
}
