package main

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest/analysis"
)

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

// newer says whether a newer build than this made the analysis that there is:
// what this one would put in its place is worse.
func newer(version spanner.NullInt64) bool { return version.Valid && version.Int64 > analysis.Version }

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
			"playable": catalog.StatePlayable, "after": after, "track": s.track, "any": s.anew(),
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
// what is of its version as it is, and asks for them, in one transaction. It says
// how many those are: a newer build may have been faster.
func (d deps) ask(ctx context.Context, s selection, page []*candidate) (asked int, err error) {
	if len(page) == 0 {
		return 0, nil
	}
	err = d.writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		versions, err := versions(ctx, tx, page)
		if err != nil {
			return nil, err
		}
		var events []proto.Message
		var rows []*spanner.Mutation
		for _, c := range page {
			version := versions[c.TrackID]
			if newer(version) {
				continue
			}
			if s.anew() && version.Valid && version.Int64 == analysis.Version {
				rows = append(rows, spanner.Update("TrackAnalyses", []string{"TrackId", "Version"}, []any{c.TrackID, int64(0)}))
			}
			events = append(events, &eventpb.AnalysisRequested{
				UploadId: c.UploadID, TrackId: c.TrackID, Object: c.Object.StringVal, Generation: c.Generation.Int64,
				SourceSamples: c.Samples, SourceSampleRate: int32(c.Rate),
			})
		}
		asked = len(events)
		return events, tx.BufferWrite(rows)
	})
	if err != nil {
		return 0, fmt.Errorf("ask for the analysis of %d tracks: %w", len(page), err)
	}
	return asked, nil
}

// versions are those of the tracks' analyses, as they are now.
func versions(ctx context.Context, tx *spanner.ReadWriteTransaction, page []*candidate) (map[string]spanner.NullInt64, error) {
	var keys []spanner.KeySet
	for _, c := range page {
		keys = append(keys, spanner.Key{c.TrackID})
	}
	all := map[string]spanner.NullInt64{}
	err := tx.Read(ctx, "TrackAnalyses", spanner.KeySets(keys...), []string{"TrackId", "Version"}).Do(func(r *spanner.Row) error {
		var track string
		var version spanner.NullInt64
		err := r.Columns(&track, &version)
		all[track] = version
		return err
	})
	return all, err
}
