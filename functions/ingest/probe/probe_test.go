package probe

import (
	"context"
	"crypto/sha256"
	"os"
	"reflect"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// An accepted upload is a track in processing, its credits, its album, and one
// request for each rendition.
func TestAccepts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "sine=440:r=48000:d=2", "-metadata", "title=Tagged", "-metadata", "artist=One;Two", "-metadata", "album=Album",
		"-metadata", "date=2021-05-06", "a.flac")
	metadata := ingest.Metadata{Title: "Said", Credits: []catalog.Credit{{Name: "Ann", Role: "composer"}}, Markets: []string{"SE"}}
	announced, n := w.upload(t, ingest.Upload{Metadata: metadata}, file)
	u := w.deliver(t, n)
	if u.Status != ingest.Processing || !id.Valid(u.TrackID) || u.Reason != "" || u.DuplicateOf != "" || n.Generation == "0" {
		t.Fatalf("upload %+v", u)
	}
	w.rows(t, map[string]int64{"Tracks": 1, "Albums": 1, "Artists": 2, "AlbumArtists": 2, "Credits": 3, "AlbumTracks": 0, "RenditionAttempts": 0, "Outbox": 0})

	tx := w.Writer.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	row, err := tx.ReadRow(t.Context(), "Tracks", spanner.Key{u.TrackID}, []string{
		"State", "Title", "LabelId", "UploadId", "AlbumId", "DurationMs", "Markets", "SourceSha256", "SourceSamples", "SourceSampleRate",
	})
	if err != nil {
		t.Fatal(err)
	}
	var state, title, label, upload, album string
	var ms, samples, rate int64
	var markets []string
	var sum []byte
	if err := row.Columns(&state, &title, &label, &upload, &album, &ms, &markets, &sum, &samples, &rate); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(content)
	if state != catalog.StateProcessing || title != "Said" || label != "label" || upload != u.ID || ms != 2000 ||
		!reflect.DeepEqual(markets, metadata.Markets) || samples != 96000 || rate != 48000 || [32]byte(sum) != want {
		t.Errorf("track %v", row)
	}
	row, err = tx.ReadRow(t.Context(), "Albums", spanner.Key{album}, []string{"Name", "AlbumType", "ReleaseDate", "ReleaseDatePrecision"})
	if err != nil {
		t.Fatal(err)
	}
	var columns [4]string
	if err := row.Columns(&columns[0], &columns[1], &columns[2], &columns[3]); err != nil || columns != [4]string{"Album", "album", "2021-05-06", "day"} {
		t.Errorf("album %v, %v", columns, err)
	}
	requested := w.requested(t)
	if len(requested) != 6 {
		t.Fatalf("%d events, want 6", len(requested))
	}
	for i, r := range playback.Renditions() {
		want := &eventpb.TranscodeRequested{
			UploadId: u.ID, TrackId: u.TrackID, Object: announced.Object, Generation: u.Generation, Format: string(r.Format),
			Bitrate: int32(r.Bitrate), SourceSamples: 96000, SourceSampleRate: 48000,
		}
		found := false
		for _, got := range requested {
			found = found || proto.Equal(got, want)
		}
		if !found {
			t.Errorf("no event %d: %v", i, want)
		}
	}
}

// Files as encoders make them: none is taken for a truncated one.
func TestAcceptsEveryKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range [][]string{
		{"-ar", "8000", "-ac", "1", "a.flac"},
		{"-c:a", "pcm_s24le", "-ar", "96000", "a.wav"},
		{"a.mp3"},
		{"-ar", "8000", "-ac", "1", "a.mp3"}, // its padding alone lasts more than 100 ms
		{"-write_xing", "0", "a.mp3"},
		{"-c:a", "libvorbis", "a.ogg"},
		{"-c:a", "libopus", "-ar", "48000", "a.opus"},
		{"a.m4a"},
		{"-ar", "8000", "a.m4a"},
		{"-c:a", "alac", "a.m4a"},
		{"-ac", "6", "surround.flac"},
		{"-f", "lavfi", "-i", "testsrc=d=2:s=64x64", "picture.m4a"}, // which lasts longer
	} {
		file := ingesttest.Audio(t, "sine=440:d=1.37", tt...)
		_, n := w.upload(t, ingest.Upload{}, file)
		if u := w.deliver(t, n); u.Status != ingest.Processing {
			t.Errorf("%v: %s: %s", tt, u.Status, u.Reason)
		}
	}
}

// What was never announced is left alone: no error, and nothing written.
func TestIgnoresWhatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, n := range []event.Finalized{
		w.put(t, ingest.Prefix+id.Random(), []byte("x")),
		w.put(t, "elsewhere/"+id.Random(), []byte("x")),
		{Bucket: w.Uploads.BucketName(), Object: ingest.Prefix + id.Random(), Generation: "not a number"},
	} {
		if err := Probe(t.Context(), n, w.Deps); err != nil {
			t.Errorf("%v: %v", n, err)
		}
	}
	w.rows(t, map[string]int64{"Uploads": 0, "Tracks": 0, "Outbox": 0})
}

// A function that is set to another bucket must not fail the uploads of this one.
func TestAnotherBucketIsAMistakeOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	n.Bucket = "somewhere-else"
	if err := Probe(t.Context(), n, w.Deps); err == nil || !strings.Contains(err.Error(), "somewhere-else") {
		t.Errorf("Probe = %v, want an error to be tried again", err)
	}
	got, err := ingest.Read(t.Context(), w.Writer.Spanner.Single(), u.ID)
	if err != nil || got.Status != ingest.Waiting {
		t.Errorf("upload = %+v, %v", got, err)
	}
}

// What cannot be told now is told at another delivery.
func TestFailsForNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Probe(cancelled, n, w.Deps); err == nil {
		t.Error("a probe that was cut off has an answer")
	}
	w.rows(t, map[string]int64{"Tracks": 0})
	if u := w.deliver(t, n); u.Status != ingest.Processing {
		t.Errorf("%s: %s", u.Status, u.Reason)
	}
}
