package cleanup

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// Cut after a page, a walk goes on behind it the next day, and begins anew after
// its end.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var at []string
	step := func(cut context.CancelFunc) walk {
		return walk{"test", func(_ context.Context, _ time.Time, after string) (string, int, error) {
			at = append(at, after)
			if len(after) == 3 {
				return "", 1, nil
			}
			if cut != nil && len(after) == 1 {
				defer cut()
			}
			return after + "x", 1, nil
		}}
	}
	run := func(s func(context.CancelFunc) walk, cut bool) (int, bool) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := cancel
		if !cut {
			end = nil
		}
		n, finished, err := w.run(ctx, s(end), w.Now())
		if err != nil {
			t.Error(err)
		}
		return n, finished
	}
	if n, finished := run(step, true); n != 2 || finished {
		t.Errorf("cut: %d, finished %v", n, finished)
	}
	if n, finished := run(step, false); n != 3 || !finished {
		t.Errorf("the next: %d, finished %v", n, finished)
	}
	if n, finished := run(step, false); n != 4 || !finished {
		t.Errorf("from the beginning: %d, finished %v", n, finished)
	}
	if got := fmt.Sprintf("%q", at); got != `["" "x" "x" "xx" "xxx" "" "x" "xx" "xxx"]` {
		t.Errorf("pages at %s", got)
	}
}

// A run whose time is over says so, and is no failure.
func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Within = time.Nanosecond
	got, err := Clean(t.Context(), w.Deps)
	if err != nil || got["unfinished"] != 6 {
		t.Errorf("%v, %v", got, err)
	}
}

// What cannot be removed is told of and holds up nothing.
func TestBucketFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.track(t)
	for range 7 {
		ingesttest.Put(t, w.Audio, "audio/"+id.Random()+"/data", []byte("x"))
	}
	first := ingesttest.Objects(t, w.Audio)[0]
	broken := w.Deps
	refuse := new(hooks)
	refuse.refused = first
	broken.Audio = refuse.over(t, w.Audio.BucketName())
	got, err := Clean(t.Context(), broken)
	if err == nil || got["folders"] != 6 {
		t.Errorf("%v, %v; want 6 and an error", got, err)
	}
	objects(t, w.Audio, first)
	w.clean(t, map[string]int{"folders": 1})
	// A bucket that is gone fails its walk alone.
	w.picture(t, 10)
	if err := w.Audio.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err = Clean(t.Context(), w.Deps)
	if err == nil || got["unfinished"] != 1 || got["images"] != 1 {
		t.Errorf("without a bucket: %v, %v", got, err)
	}
	objects(t, w.Images)
}

// A database without any upload, as one that is being restored, leads to nothing:
// that is no reason to remove all that there is.
func TestEmptyDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	w.picture(t, 10)
	file, audio := ingest.Prefix+id.Random(), "audio/"+id.Random()+"/data"
	ingesttest.Put(t, w.Uploads, file, []byte("x"))
	ingesttest.Put(t, w.Audio, audio, []byte("x"))
	pictures := ingesttest.Objects(t, w.Images)
	got, err := Clean(t.Context(), w.Deps)
	if err == nil || strings.Count(err.Error(), "there is no upload at all") != 3 || got["unfinished"] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	objects(t, w.Uploads, file)
	objects(t, w.Audio, audio)
	objects(t, w.Images, pictures...)
	ingesttest.Announce(t, w.Spanner, ingest.Upload{}, 1)
	w.clean(t, map[string]int{"files": 1, "folders": 1, "images": 1, "uploads": 1})
}
