package transcode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"github.com/cenkalti/backoff/v5"
	"google.golang.org/api/googleapi"

	"github.com/segue-audio/segue/shared/ingest"
)

// putWithin is how long a store that is away is waited for with an object: what
// was encoded, maybe for minutes, is at hand. After it, the event comes again.
const (
	putWithin   = 30 * time.Second
	putPause    = 2 * time.Second // the longest between two tries
	abandonTime = 10 * time.Second
	releaseTime = 2 * time.Second
)

// put writes one object that must not exist yet, whole or not at all. The
// library does not do it again by itself: it keeps nothing of what it streams.
func (d Deps) put(ctx context.Context, name string, write func(*storage.Writer) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = putPause/10, putPause
	tried := false
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := d.putOnce(ctx, name, write)
		switch {
		case err == nil || storage.ShouldRetry(err):
		case tried && isThere(err):
			// A try before has arrived and its answer has not. The folder is this
			// attempt's alone.
			if gone := d.Audio.Object(name).Delete(ctx); gone != nil && !errors.Is(gone, storage.ErrObjectNotExist) {
				err = fmt.Errorf("%w; delete it: %w", err, gone)
			}
		default:
			err = backoff.Permanent(err)
		}
		tried = true
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(putWithin))
	return err
}

func (d Deps) putOnce(ctx context.Context, name string, write func(*storage.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before Close, this abandons the object
	w := d.Audio.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType = "application/octet-stream"
	w.ChunkSize = 0 // one request that streams: the file is on disk
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func isThere(err error) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == http.StatusPreconditionFailed
}

// abandon removes what a failed attempt left, so that a retry need not wait for
// its lease. When that fails too, it ends the lease, and publish removes the
// rest; when that fails, the lease runs out by itself.
func (d Deps) abandon(ctx context.Context, a *ingest.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTime+releaseTime)
	defer cancel()
	short, stop := context.WithTimeout(ctx, abandonTime)
	defer stop()
	err := a.Discard(short, d.Writer.Spanner, d.Audio)
	if err == nil {
		return
	}
	slog.WarnContext(ctx, "a failed attempt is left to publish", "attempt", a.ID, "error", err)
	_, err = d.Writer.Spanner.Apply(ctx, []*spanner.Mutation{spanner.Update("RenditionAttempts",
		[]string{"TrackId", "Format", "Bitrate", "AttemptId", "LeaseUntil"}, append(a.Key(), d.Now()))})
	if err != nil {
		slog.WarnContext(ctx, "its lease runs out by itself", "attempt", a.ID, "error", err)
	}
}
