package probe

import (
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"

	"cloud.google.com/go/spanner"
)

// Delivered five times at once, and once more: one track, six events.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	var g errgroup.Group
	for range 5 {
		g.Go(func() error { return Probe(t.Context(), n, w.Deps) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if u := w.deliver(t, n); u.Status != ingest.Processing {
		t.Errorf("%s: %s", u.Status, u.Reason)
	}
	w.rows(t, map[string]int64{"Tracks": 1, "Albums": 1, "Artists": 1, "Credits": 1, "Outbox": 0})
	if got := len(w.requested(t)); got != 6 {
		t.Errorf("%d events, want 6", got)
	}
}

// Two files of one artist and album at once: both tracks, but one artist and
// one album.
func TestTwoTracksAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var g errgroup.Group
	for _, tone := range []string{"sine=440:d=1", "sine=550:d=1"} {
		_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, tone, "-metadata", "artist=A", "-metadata", "album=B", "a.flac"))
		g.Go(func() error { return Probe(t.Context(), n, w.Deps) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	w.rows(t, map[string]int64{"Tracks": 2, "Albums": 1, "Artists": 1, "AlbumArtists": 1, "Credits": 2})
}

// A second object under the name of an accepted one is not looked at, whatever
// it is, and neither is a late event of the first.
func TestSecondGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	announced, first := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	accepted := w.deliver(t, first)
	second := w.put(t, announced.Object, []byte("not audio"))
	if second.Generation == first.Generation {
		t.Fatal("the second object has the first one's generation")
	}
	for _, n := range []string{second.Generation, first.Generation} {
		late := first
		late.Generation = n
		if u := w.deliver(t, late); u.Status != ingest.Processing || u.Generation != accepted.Generation || u.TrackID != accepted.TrackID {
			t.Errorf("generation %s: %s %s, generation %d", n, u.Status, u.Reason, u.Generation)
		}
	}
	w.rows(t, map[string]int64{"Tracks": 1})
	if got := len(w.requested(t)); got != 6 {
		t.Errorf("%d events, want 6", got)
	}
}

// Of the accepted generation alone a failure is recorded: the probe of another
// may have begun before.
func TestFailureOfAnotherGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	u := w.deliver(t, n)
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, u.ID, u.Generation+1, "of another"); err != nil {
		t.Fatal(err)
	}
	if u = ingesttest.Read(t, w.Writer.Spanner, u.ID); u.Status != ingest.Processing {
		t.Errorf("%s: %s", u.Status, u.Reason)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "sine=440:d=1", "a.flac")
	send := func(u ingest.Upload) *ingest.Upload {
		t.Helper()
		_, n := w.upload(t, u, file)
		return w.deliver(t, n)
	}
	original := send(ingest.Upload{LabelID: "one"})
	if again := send(ingest.Upload{LabelID: "one"}); again.Status != ingest.Duplicate || again.DuplicateOf != original.TrackID || again.TrackID != "" ||
		again.Reason != "the same file is track "+original.TrackID+"; send allow_duplicate to add it again" {
		t.Errorf("the same file again: %+v", again)
	}
	if allowed := send(ingest.Upload{LabelID: "one", AllowDuplicate: true}); allowed.Status != ingest.Processing || allowed.TrackID == original.TrackID {
		t.Errorf("the same file again, as wished: %+v", allowed)
	}
	if other := send(ingest.Upload{LabelID: "two"}); other.Status != ingest.Processing || other.DuplicateOf != "" {
		t.Errorf("another label's same file: %+v", other)
	}
	w.rows(t, map[string]int64{"Tracks": 3})
	if got := len(w.requested(t)); got != 18 {
		t.Errorf("%d events, want 18", got)
	}
}

// A track that failed is none: its file may come again.
func TestFailedTrackIsNoDuplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "sine=440:d=1", "a.flac")
	_, n := w.upload(t, ingest.Upload{}, file)
	first := w.deliver(t, n)
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, first.ID, first.Generation, "a reason"); err != nil {
		t.Fatal(err)
	}
	row, err := w.Writer.Spanner.Single().ReadRow(t.Context(), "Tracks", spanner.Key{first.TrackID}, []string{"State"})
	if err != nil {
		t.Fatal(err)
	}
	if state := ""; errors.Join(row.Columns(&state)) != nil || state != catalog.StateFailed {
		t.Errorf("the track is %s", state)
	}
	_, n = w.upload(t, ingest.Upload{}, file)
	if again := w.deliver(t, n); again.Status != ingest.Processing {
		t.Errorf("%s: %s", again.Status, again.Reason)
	}
}
