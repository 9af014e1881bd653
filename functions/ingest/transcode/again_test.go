package transcode

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

var noLease time.Time

// Delivered five times at once, and once more: one attempt, one event.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	errs := make([]error, 5)
	var g errgroup.Group
	for i := range errs {
		g.Go(func() error {
			errs[i] = Transcode(t.Context(), w.request(ogg), w.Deps)
			return nil
		})
	}
	_ = g.Wait()
	if !slices.Contains(errs, nil) {
		t.Error("none did the work")
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, errLeased) {
			t.Error(err)
		}
	}
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
	w.complete(t)
}

// held runs a transcode whose download waits until release is called, or until
// the work is cut off.
func (w *world) held(t *testing.T) (result <-chan error, release func()) {
	t.Helper()
	begun, open := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(open) })
	t.Cleanup(release)
	started := sync.OnceFunc(func() { close(begun) })
	w.faults.set(func(r *http.Request) error {
		if !strings.Contains(r.URL.Path, w.Uploads.BucketName()) {
			return nil
		}
		started()
		select {
		case <-open:
			return nil
		case <-r.Context().Done():
			return context.Cause(r.Context())
		}
	})
	done := make(chan error, 1)
	go func() { done <- Transcode(context.WithoutCancel(t.Context()), w.request(ogg), w.Deps) }()
	select {
	case <-begun:
	case err := <-done:
		t.Fatalf("ended before its download: %v", err)
	}
	return done, release
}

// While one is at work its lease is renewed, and others are told to come later.
func TestLeaseIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renew = 10 * time.Millisecond
	result, release := w.held(t)
	first := w.attempts(t)[0]
	if first.State != ingest.Leased {
		t.Errorf("%+v", first)
	}
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); !errors.Is(err, errLeased) {
		t.Errorf("got %v, want to be delivered later", err)
	}
	eventually(t, "the lease is renewed", func() bool { return w.attempts(t)[0].LeaseUntil.After(first.LeaseUntil) })
	release()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if a := w.complete(t); a.ID != first.ID {
		t.Errorf("attempt %s, want %s", a.ID, first.ID)
	}
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
}

// A lost lease cuts the work off; nothing of it stays.
func TestLostLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renew = 10 * time.Millisecond
	result, _ := w.held(t)
	if _, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("RenditionAttempts", w.attempts(t)[0].Key())}); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, errLost) {
		t.Errorf("got %v, want %v", err, errLost)
	}
	w.nothing(t)
}

// Whoever finds at the end that nobody waits takes its objects away.
func TestNotWantedAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *world){
		"the row is gone": func(t *testing.T, w *world) {
			if _, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("RenditionAttempts", w.attempts(t)[0].Key())}); err != nil {
				t.Fatal(err)
			}
		},
		"the upload failed": func(t *testing.T, w *world) {
			if err := ingest.Fail(t.Context(), w.Writer.Spanner, w.upload.ID, w.upload.Generation, "a reason"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.renew = time.Hour
			result, release := w.held(t)
			spoil(t, w)
			release()
			if err := <-result; err != nil {
				t.Error(err)
			}
			w.nothing(t)
		})
	}
}

// The work of a dead process is taken over when its lease is over, under a new
// key and in a new folder; what it left is publish's to remove.
func TestDeadAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead, deadKey, err := w.begin(t.Context(), w.request(ogg))
	if err != nil {
		t.Fatal(err)
	}
	ingesttest.Put(t, w.Audio, dead.Folder+"data", []byte("half"))
	before := w.Deps
	before.Now = func() time.Time { return dead.LeaseUntil.Add(-time.Second) }
	if err := Transcode(t.Context(), w.request(ogg), before); !errors.Is(err, errLeased) {
		t.Errorf("before the lease ends: %v", err)
	}
	after := w.Deps
	after.Now = func() time.Time { return dead.LeaseUntil.Add(time.Second) }
	for range 2 {
		if err := Transcode(t.Context(), w.request(ogg), after); err != nil {
			t.Fatal(err)
		}
	}
	all := w.attempts(t)
	if len(all) != 2 {
		t.Fatalf("%d attempts, want the dead one and the new one", len(all))
	}
	taken := all[0]
	if taken.ID == dead.ID {
		taken = all[1]
	}
	key, err := w.Keys.Unwrap(taken.WrappedKey, taken.Binding())
	if err != nil || taken.State != ingest.Complete || taken.Folder == dead.Folder || bytes.Equal(key, deadKey) {
		t.Errorf("%+v, %v", taken, err)
	}
	if events := w.ready(t); len(events) != 1 || events[0].GetAttemptId() != taken.ID {
		t.Errorf("events %v", events)
	}
	if unwanted := ingest.Unwanted(all, map[string]bool{taken.ID: true}, after.Now()); len(unwanted) != 1 || unwanted[0].ID != dead.ID {
		t.Errorf("unwanted are %v", unwanted)
	}
}
