package probe

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// another is a file of the same recording: quieter, a moment later, lossy.
func another(t *testing.T, file string) string {
	t.Helper()
	return ingesttest.FFmpeg(t, "-i", file, "-af", "volume=-6dB,adelay=300:all=1", "-c:a", "libopus", "-b:a", "64k", "-ar", "48000", "another.opus")
}

func TestDuplicateRecordings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "anoisesrc=d=12:c=pink:seed=1", "a.flac")
	recoded := another(t, file)
	send := func(u ingest.Upload, file string) *ingest.Upload {
		t.Helper()
		_, n := w.upload(t, u, file)
		return w.deliver(t, n)
	}
	original := send(ingest.Upload{LabelID: "one"}, file)
	w.rows(t, map[string]int64{"Fingerprints": 1, "FingerprintTerms": 64})
	for range 2 {
		again := send(ingest.Upload{LabelID: "one"}, recoded)
		if again.Status != ingest.Duplicate || again.DuplicateOf != original.TrackID || again.TrackID != "" ||
			again.Reason != "the same recording, in another file, is track "+original.TrackID+"; send allow_duplicate to add it again" {
			t.Errorf("the same recording: %+v", again)
		}
	}
	w.rows(t, map[string]int64{"Fingerprints": 1, "FingerprintTerms": 64, "Tracks": 1})
	for name, tt := range map[string]struct {
		u    ingest.Upload
		file string
	}{
		"another label's": {ingest.Upload{LabelID: "two"}, recoded},
		"as wished":       {ingest.Upload{LabelID: "one", AllowDuplicate: true}, recoded},
		"another recording": {
			ingest.Upload{LabelID: "one"}, ingesttest.Audio(t, "anoisesrc=d=12:c=pink:seed=2", "b.flac"),
		},
		"an edit": {ingest.Upload{LabelID: "one"}, ingesttest.FFmpeg(t, "-i", file, "-t", "9", "edit.flac")},
	} {
		if u := send(tt.u, tt.file); u.Status != ingest.Processing || u.DuplicateOf != "" {
			t.Errorf("%s: %s: %s", name, u.Status, u.Reason)
		}
	}
}

// Tones and what is short are all alike: only the very same file is the same.
func TestTellsTooLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sound := range []string{"sine=440:d=10", "anullsrc=d=10", "anoisesrc=d=3:seed=1"} {
		file := ingesttest.Audio(t, sound, "a.flac")
		for _, f := range []string{file, another(t, file)} {
			_, n := w.upload(t, ingest.Upload{}, f)
			if u := w.deliver(t, n); u.Status != ingest.Processing {
				t.Errorf("%s: %s: %s", sound, u.Status, u.Reason)
			}
		}
	}
	w.rows(t, map[string]int64{"Fingerprints": 0, "FingerprintTerms": 0})
}

// Of two files of a recording at once, one becomes a track.
func TestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "anoisesrc=d=10:c=pink:seed=3", "a.flac")
	var g errgroup.Group
	var ids []string
	for _, f := range []string{file, another(t, file)} {
		u, n := w.upload(t, ingest.Upload{}, f)
		ids = append(ids, u.ID)
		g.Go(func() error { return Probe(t.Context(), n, w.Deps) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	w.rows(t, map[string]int64{"Tracks": 1, "Fingerprints": 1})
	a, b := ingesttest.Read(t, w.Writer.Spanner, ids[0]), ingesttest.Read(t, w.Writer.Spanner, ids[1])
	if a.Status == ingest.Duplicate {
		a, b = b, a
	}
	if a.Status != ingest.Processing || b.Status != ingest.Duplicate || b.DuplicateOf != a.TrackID {
		t.Errorf("%s and %s of %s, not of %s", a.Status, b.Status, b.DuplicateOf, a.TrackID)
	}
}

// What was taken for a duplicate of a track that fails later is told so: its own
// file may be good.
func TestDuplicateOfWhatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "anoisesrc=d=10:c=pink:seed=5", "a.flac")
	_, n := w.upload(t, ingest.Upload{}, file)
	first := w.deliver(t, n)
	good := another(t, file)
	_, n = w.upload(t, ingest.Upload{}, good)
	second := w.deliver(t, n)
	if second.DuplicateOf != first.TrackID {
		t.Fatalf("%s: %s", second.Status, second.Reason)
	}
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, first.ID, first.Generation, "it is damaged"); err != nil {
		t.Fatal(err)
	}
	want := "it is a duplicate of track " + first.TrackID + ", which failed since: it is damaged; upload it again"
	if u := ingesttest.Read(t, w.Writer.Spanner, second.ID); u.Status != ingest.Failed || u.Reason != want || u.DuplicateOf != "" {
		t.Errorf("%s: %q, want %q", u.Status, u.Reason, want)
	}
	_, n = w.upload(t, ingest.Upload{}, good)
	if u := w.deliver(t, n); u.Status != ingest.Processing {
		t.Errorf("again: %s: %s", u.Status, u.Reason)
	}
}

// The clean version of a track and the explicit one sound alike.
func TestCleanAndExplicit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "anoisesrc=d=10:c=pink:seed=6", "a.flac")
	for i, u := range []ingest.Upload{{}, {Metadata: ingest.Metadata{Explicit: new(true)}}, {Metadata: ingest.Metadata{ISRC: "SEABC2600007"}}} {
		_, n := w.upload(t, u, ingesttest.FFmpeg(t, "-i", file, "-metadata", fmt.Sprint("comment=", i), "b.flac"))
		if got := w.deliver(t, n); (got.Status == ingest.Processing) != (i < 2) {
			t.Errorf("%+v: %s: %s", u.Metadata, got.Status, got.Reason)
		}
	}
}

// A recording whose track failed may come again, in whatever file.
func TestFailedRecordingIsNoDuplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "anoisesrc=d=10:c=pink:seed=4", "a.flac")
	_, n := w.upload(t, ingest.Upload{}, file)
	first := w.deliver(t, n)
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, first.ID, first.Generation, "a reason"); err != nil {
		t.Fatal(err)
	}
	_, n = w.upload(t, ingest.Upload{}, another(t, file))
	second := w.deliver(t, n)
	if second.Status != ingest.Processing {
		t.Errorf("%s: %s", second.Status, second.Reason)
	}
	_, n = w.upload(t, ingest.Upload{}, ingesttest.FFmpeg(t, "-i", file, "third.mp3"))
	if third := w.deliver(t, n); third.DuplicateOf != second.TrackID || !strings.Contains(third.Reason, "recording") {
		t.Errorf("%s of %s: %s", third.Status, third.DuplicateOf, third.Reason)
	}
}
