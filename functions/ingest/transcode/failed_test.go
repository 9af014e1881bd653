package transcode

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// The upload has failed, and whoever recorded that died then, or the bucket fails
// when what was made of it is to go: the next delivery removes it.
func TestFailedButNotRemoved(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*testing.T, *world){
		"died": func(t *testing.T, w *world) {
			if err := ingest.Fail(t.Context(), w.Writer.Spanner, w.upload.ID, w.upload.Generation, "a reason"); err != nil {
				t.Fatal(err)
			}
		},
		"bucket": func(t *testing.T, w *world) {
			w.faults.set(func(r *http.Request) error {
				if r.Method == http.MethodDelete {
					return errFault
				}
				return nil
			})
			for range 2 { // the second finds that it has failed
				if err := Transcode(t.Context(), w.request(aac), w.Deps); !errors.Is(err, errFault) {
					t.Errorf("got %v, want the fault", err)
				}
			}
			w.faults.set(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, bytes.Repeat([]byte("garbage"), 3000))
			ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, ogg, noLease)
			fail(t, w)
			if u, left := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID), w.attempts(t); u.Status != ingest.Failed || len(left) == 0 {
				t.Fatalf("%s, attempts %v", u.Status, left)
			}
			if err := Transcode(t.Context(), w.request(aac), w.Deps); err != nil {
				t.Error(err)
			}
			w.nothing(t)
		})
	}
}

// Of an upload that has failed, an attempt that died is removed when its lease is
// over, by its own event; that of another rendition does not wait.
func TestDeadAttemptOfAFailedUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead, _, err := w.begin(t.Context(), w.request(ogg))
	if err != nil {
		t.Fatal(err)
	}
	ingesttest.Put(t, w.Audio, dead.Folder+playback.DataObject, []byte("half"))
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, w.upload.ID, w.upload.Generation, "a reason"); err != nil {
		t.Fatal(err)
	}
	w.Now = func() time.Time { return dead.LeaseUntil.Add(-time.Second) }
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); !errors.Is(err, errLeased) {
		t.Errorf("got %v, want to be delivered later", err)
	}
	if err := Transcode(t.Context(), w.request(aac), w.Deps); err != nil {
		t.Error(err)
	}
	if left := w.attempts(t); len(left) != 1 || left[0].ID != dead.ID {
		t.Errorf("left are %v", left)
	}
	w.Now = func() time.Time { return dead.LeaseUntil.Add(time.Second) }
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
	w.nothing(t)
}

// The attempt that finds that the file cannot be encoded cannot remove itself,
// since Spanner fails: its event comes again until it is gone.
func TestCannotRemoveItself(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, bytes.Repeat([]byte("garbage"), 3000))
	var begun atomic.Bool
	var failed atomic.Int32
	d := w.through(t, func(_ context.Context, method string, call func() error) error {
		if !strings.HasSuffix(method, "/Commit") {
			return call()
		}
		// Neither the attempt goes, nor does its lease end.
		if begun.Load() && failed.Add(1) <= 2 {
			return status.Error(codes.Internal, "a fault")
		}
		err := call() // which may be to be tried again
		if err == nil {
			begun.Store(true)
		}
		return err
	})
	d.renew = time.Hour // which would commit too
	if err := Transcode(t.Context(), w.request(ogg), d); !errors.Is(err, errLeased) {
		t.Errorf("got %v, want to be delivered later", err)
	}
	if u, left := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID), w.attempts(t); u.Status != ingest.Failed || len(left) != 1 {
		t.Fatalf("%s, attempts %v", u.Status, left)
	}
	w.Now = func() time.Time { return time.Now().Add(lease) }
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
	w.nothing(t)
}
