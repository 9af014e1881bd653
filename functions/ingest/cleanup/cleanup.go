package cleanup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/httpapi"
)

const (
	// idle is how long nothing may have been at work on what is removed. No
	// function runs for longer than minutes; a process may be paused.
	idle = 24 * time.Hour
	// settled is for how long the file of an upload that came to nothing is kept,
	// for questions.
	settled = 30 * 24 * time.Hour
	// size of a page: rows, folders or objects.
	size = 300
	// together is how many removals go on at once.
	together = 8
)

// Deps are what Clean works with.
type Deps struct {
	Spanner                *spanner.Client
	Uploads, Audio, Images *storage.BucketHandle
	Now                    func() time.Time
	Within                 time.Duration // of one run

	page int // 0: size
}

func (d Deps) size() int { return cmp.Or(d.page, size) }

// walk goes through something from its beginning to its end, a page at a time.
type walk struct {
	name string
	// page does the page behind a position ("" is the beginning) and returns the
	// position of its last part; "" when there is no more. What cannot be removed
	// is told of and passed over; what cannot be read returns the position that it
	// was given.
	page func(ctx context.Context, now time.Time, after string) (next string, n int, err error)
}

// Clean walks through all that may be left behind, as of the time at which the
// run was due, and counts what it removed.
func Clean(ctx context.Context, d Deps) (map[string]int, error) {
	now := httpapi.DueAt(ctx, d.Now)
	ctx, cancel := context.WithTimeout(ctx, d.Within)
	defer cancel()
	walks := []walk{
		{"attempts", d.attempts},
		{"folders", d.folders},
		{"images", d.images},
		{"terms", d.terms},
		{"uploads", d.waiting},
		{"files", d.files},
	}
	counts := map[string]int{"unfinished": 0}
	var all []error
	for i, w := range walks {
		// Each has its share of the time, and what those before it left.
		end, _ := ctx.Deadline()
		share, stop := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(walks)-i))
		n, finished, err := d.run(share, w, now)
		stop()
		counts[w.name] = n
		if !finished {
			counts["unfinished"]++
		}
		if err != nil {
			all = append(all, fmt.Errorf("clean up %s: %w", w.name, err))
		}
	}
	slog.InfoContext(ctx, "cleaned up", "removed", counts, "as_of", now)
	return counts, errors.Join(all...)
}

// run walks on from where the last run stopped, to the end or until its time is
// over. The first error of several is told, and holds up nothing behind it.
func (d Deps) run(ctx context.Context, w walk, now time.Time) (total int, finished bool, first error) {
	after, err := d.position(ctx, w.name)
	for err == nil {
		next, n, failed := w.page(ctx, now, after)
		total += n
		if ctx.Err() != nil {
			return total, false, first // what was cut is done by the next run
		}
		if first == nil {
			first = failed
		}
		if failed != nil && next == after {
			return total, false, first
		}
		crash.Point("cleanup:page-done")
		if err = d.advance(ctx, w.name, next); err == nil && next == "" {
			return total, true, first
		}
		after = next
	}
	if ctx.Err() != nil {
		return total, false, first
	}
	return total, false, cmp.Or(first, err)
}

func (d Deps) position(ctx context.Context, step string) (after string, err error) {
	row, err := d.Spanner.Single().ReadRow(ctx, "CleanupCursors", spanner.Key{step}, []string{"Position"})
	if spanner.ErrCode(err) == codes.NotFound {
		return "", nil
	}
	if err == nil {
		err = row.Columns(&after)
	}
	if err != nil {
		return "", fmt.Errorf("read where to go on: %w", err)
	}
	return after, nil
}

func (d Deps) advance(ctx context.Context, step, position string) error {
	_, err := d.Spanner.Apply(ctx, []*spanner.Mutation{spanner.InsertOrUpdate("CleanupCursors",
		[]string{"Step", "Position", "UpdatedAt"}, []any{step, position, spanner.CommitTimestamp})}, spanner.ApplyAtLeastOnce())
	if err != nil {
		return fmt.Errorf("write where to go on: %w", err)
	}
	return nil
}

// behind is the range of keys after one, to the end of the table.
func behind(key ...any) spanner.KeyRange {
	return spanner.KeyRange{Start: key, End: spanner.Key{}, Kind: spanner.OpenClosed}
}
