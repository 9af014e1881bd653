package transcode

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// A bucket that is away for a moment costs another try at the object, not another
// encoding, also where the object arrived and only the answer was lost.
func TestBucketComesBack(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"nothing arrives": false, "the answer is lost": true} {
		for _, object := range []string{playbackData, playbackHashes, playbackSeek} {
			t.Run(name+object, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				var tries atomic.Int32
				w.faults.set(func(r *http.Request) error {
					if r.Method != http.MethodPost || !strings.HasSuffix(written(r), object) || tries.Add(1) > 1 {
						return nil
					}
					if arrives {
						ingesttest.Put(t, w.Audio, written(r), []byte("what was sent"))
					}
					return io.ErrUnexpectedEOF
				})
				if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
					t.Fatal(err)
				}
				if tries.Load() < 2 {
					t.Errorf("%d tries", tries.Load())
				}
				w.complete(t)
			})
		}
	}
}

// When neither the bucket nor its clean-up works, the lease ends with the work:
// the next delivery need not wait for it.
func TestAbandonedLeaseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults.set(func(r *http.Request) error {
		if strings.Contains(r.URL.Path, w.Audio.BucketName()) {
			return errFault
		}
		return nil
	})
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); !errors.Is(err, errFault) {
		t.Fatalf("got %v, want the fault", err)
	}
	if left := w.attempts(t); len(left) != 1 || left[0].LeaseUntil.After(w.Now()) {
		t.Errorf("left are %+v", left)
	}
	w.faults.set(nil)
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
}

// written is the object that a request writes.
func written(r *http.Request) string { return r.URL.Query().Get("name") }
