package cleanup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// dead says whether nobody will ever play an attempt that is not played now.
func dead(a *ingest.Attempt, track string, now time.Time) bool {
	switch {
	case a.State == ingest.Removing:
		return true // a run before began with it
	case a.LeaseUntil.After(now.Add(-idle)), a.CompletedAt.After(now.Add(-idle)):
		return false
	case a.State == ingest.Leased:
		return true
	}
	return track != catalog.StateProcessing
}

// attempts walks through the tracks and looks at the attempts of each.
func (d Deps) attempts(ctx context.Context, now time.Time, after string) (next string, n int, err error) {
	tx := d.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	states := map[string]string{}
	err = tx.ReadWithOptions(ctx, "Tracks", behind(after), []string{"TrackId", "State"}, &spanner.ReadOptions{Limit: d.size()}).Do(func(r *spanner.Row) error {
		var state string
		err := r.Columns(&next, &state)
		states[next] = state
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read tracks: %w", err)
	}
	if len(states) == 0 {
		return "", 0, nil
	}
	these := spanner.KeyRange{Start: spanner.Key{after}, End: spanner.Key{next}, Kind: spanner.OpenClosed}
	played := map[string]bool{}
	err = tx.Read(ctx, "Renditions", these, []string{"AttemptId"}).Do(func(r *spanner.Row) error {
		var id string
		err := r.Columns(&id)
		played[id] = true
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read renditions: %w", err)
	}
	var gone []*ingest.Attempt
	err = tx.Read(ctx, "RenditionAttempts", these, []string{"TrackId", "Format", "Bitrate", "AttemptId", "State", "LeaseUntil", "CompletedAt", "Folder"}).Do(func(r *spanner.Row) error {
		var a ingest.Attempt
		var bitrate int64
		var completed spanner.NullTime
		err := r.Columns(&a.TrackID, (*string)(&a.Format), &bitrate, &a.ID, &a.State, &a.LeaseUntil, &completed, &a.Folder)
		a.Bitrate, a.CompletedAt = playback.Quality(bitrate), completed.Time
		if !played[a.ID] && dead(&a, states[a.TrackID], now) {
			gone = append(gone, &a)
		}
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read attempts: %w", err)
	}
	if len(states) < d.size() {
		next = ""
	}
	n, err = each(ctx, gone, func(ctx context.Context, a *ingest.Attempt) (bool, error) { return d.discard(ctx, a, now) })
	return next, n, err
}

// discard claims an attempt, then removes it. Whoever completes it or plays it at
// the same moment is before the claim, and it stays, or after it, and too late.
func (d Deps) discard(ctx context.Context, a *ingest.Attempt, now time.Time) (bool, error) {
	claimed := false
	_, err := d.Spanner.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) (err error) {
		if claimed, err = d.unwanted(ctx, tx, a, now); err != nil || !claimed {
			return err
		}
		return tx.BufferWrite([]*spanner.Mutation{spanner.Update("RenditionAttempts",
			[]string{"TrackId", "Format", "Bitrate", "AttemptId", "State"}, append(a.Key(), ingest.Removing))})
	})
	if err != nil {
		return false, fmt.Errorf("claim attempt %s: %w", a.ID, err)
	}
	if !claimed {
		return false, nil
	}
	crash.Point("cleanup:claimed")
	slog.InfoContext(ctx, "attempt removed", "track", a.TrackID, "rendition", a.String(), "attempt", a.ID, "state", a.State)
	return true, a.Discard(ctx, d.Spanner, d.Audio)
}

// unwanted reads and locks all that decides about an attempt.
func (d Deps) unwanted(ctx context.Context, tx *spanner.ReadWriteTransaction, a *ingest.Attempt, now time.Time) (bool, error) {
	row, err := tx.ReadRow(ctx, "RenditionAttempts", a.Key(), []string{"State", "LeaseUntil", "CompletedAt"})
	if spanner.ErrCode(err) == codes.NotFound {
		return false, nil
	}
	var completed spanner.NullTime
	if err == nil {
		err = row.Columns(&a.State, &a.LeaseUntil, &completed)
	}
	if err != nil {
		return false, err
	}
	a.CompletedAt = completed.Time
	var track, live string
	if row, err = tx.ReadRow(ctx, "Tracks", spanner.Key{a.TrackID}, []string{"State"}); err == nil {
		err = row.Columns(&track)
	}
	if err != nil {
		return false, err
	}
	row, err = tx.ReadRow(ctx, "Renditions", a.Key()[:3], []string{"AttemptId"})
	if err == nil {
		err = row.Columns(&live)
	} else if spanner.ErrCode(err) == codes.NotFound {
		err = nil
	}
	return live != a.ID && dead(a, track, now), err
}

// each removes several at once, and counts. What fails is told and holds up
// nothing.
func each[T any](ctx context.Context, all []T, remove func(context.Context, T) (bool, error)) (int, error) {
	var g errgroup.Group
	g.SetLimit(together)
	var n atomic.Int64
	var mu sync.Mutex
	var failed []error
	for _, one := range all {
		g.Go(func() error {
			done, err := remove(ctx, one)
			if done && err == nil {
				n.Add(1)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	if len(failed) > 3 {
		failed = append(failed[:3], fmt.Errorf("and %d more", len(failed)-3))
	}
	return int(n.Load()), errors.Join(failed...)
}
