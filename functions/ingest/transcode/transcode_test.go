package transcode

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// Each rendition is one attempt of its own key and folder, whose data opens to
// a file that plays, and is told of in one event.
func TestRenditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	folders, keys := map[string]bool{}, map[string]bool{}
	for i, r := range playback.Renditions() {
		if i == 3 {
			w.Cipher = playback.AES256CTR // of new renditions, from now on
		}
		if err := Transcode(t.Context(), w.request(r), w.Deps); err != nil {
			t.Fatal(err)
		}
		all, err := ingest.Attempts(t.Context(), w.Writer.Spanner.Single(), w.upload.TrackID, string(r.Format), int64(r.Bitrate))
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %d attempts, %v", r, len(all), err)
		}
		a := all[0]
		if a.State != ingest.Complete || a.CompletedAt.IsZero() || a.Cipher != w.Cipher || a.TotalSamples != total || a.SampleRate != ffmpeg.SampleRate ||
			a.HeadSize != a.Size || (a.Delay == 0) != (r.Format == playback.Ogg) {
			t.Errorf("%s: %+v", r, a)
		}
		key, err := w.Keys.Unwrap(a.WrappedKey, a.Binding())
		if err != nil {
			t.Fatal(err)
		}
		w.checkData(t, a, key)
		want := &eventpb.RenditionReady{
			UploadId: w.upload.ID, TrackId: a.TrackID, Format: string(r.Format), Bitrate: int32(r.Bitrate), AttemptId: a.ID,
		}
		if got := w.ready(t); len(got) != 1 || !proto.Equal(got[0], want) {
			t.Errorf("%s: events %v, want %v", r, got, want)
		}
		folders[a.Folder], keys[string(key)] = true, true
	}
	if len(folders) != 6 || len(keys) != 6 || len(ingesttest.Objects(t, w.Audio)) != 18 {
		t.Errorf("%d folders, %d keys of six renditions: %q", len(folders), len(keys), ingesttest.Objects(t, w.Audio))
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Outbox": 0, "Renditions": 0})
}

func (w *world) checkData(t *testing.T, a *ingest.Attempt, key []byte) {
	t.Helper()
	data, hashes := w.read(t, a.Folder+playback.DataObject), w.read(t, a.Folder+playback.HashesObject)
	if int64(len(data)) != a.Size || sha256.Sum256(data) != [32]byte(a.Sha256) {
		t.Errorf("%s: %d bytes are not those of the row", a.Rendition, len(data))
	}
	blocks := (len(data) + playback.BlockSize - 1) / playback.BlockSize
	if len(hashes) != blocks*playback.HashSize {
		t.Errorf("%s: %d bytes of hashes of %d blocks", a.Rendition, len(hashes), blocks)
	}
	for i := range blocks {
		if err := playback.VerifyBlock(hashes, i, data[i*playback.BlockSize:min((i+1)*playback.BlockSize, len(data))]); err != nil {
			t.Errorf("%s: %v", a.Rendition, err)
		}
	}
	if shown, err := stream(t, data); err == nil {
		t.Errorf("%s: what is stored plays as it is: %s", a.Rendition, shown)
	}
	opened := make([]byte, len(data))
	if err := playback.Decrypt(key, 0, opened, data); err != nil {
		t.Fatal(err)
	}
	seek := w.read(t, a.Folder+playback.SeekObject)
	if table, err := playback.ParseSeekTable(seek); err != nil || a.SeekSize != int64(len(seek)) || int64(table[len(table)-1].Ms) > total*1000/ffmpeg.SampleRate {
		t.Errorf("%s: the seek table of %d bytes, %d in the row, is %v, %v", a.Rendition, len(seek), a.SeekSize, table, err)
	} else if at := opened[table[0].Offset:]; string(at[:4]) != "OggS" && string(at[4:8]) != "moof" {
		t.Errorf("%s: the first seek point is at %q", a.Rendition, at[:8])
	}
	codec := map[playback.Format]string{playback.Ogg: "stream|codec_name=vorbis", playback.AAC: "stream|codec_name=aac"}[a.Format]
	if shown, err := stream(t, opened); err != nil || shown != codec+"|sample_rate=44100|channels=2\n" {
		t.Errorf("%s: opened, it is %q, %v", a.Rendition, shown, err)
	}
}

func (w *world) read(t *testing.T, object string) []byte {
	t.Helper()
	r, err := w.Audio.Object(object).NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stream is what ffprobe says of a file, and an error if it plays nothing.
func stream(t *testing.T, content []byte) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,sample_rate,channels", "-of", "compact", file).Output()
	if err != nil {
		return "", err
	}
	return string(out), exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", file, "-f", "null", "-").Run()
}

// What the encoder refuses for good ends the upload, and what is made of it
// already goes.
func TestCannotBeEncoded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, *world)
		words string
	}{
		{"garbage", func(*testing.T, *world) {}, "it cannot be encoded as aac/320: the file: Invalid data found when processing input"},
		{"gone", func(t *testing.T, w *world) {
			if err := w.Uploads.Object(w.upload.Object).Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, "it cannot be encoded as aac/320: the uploaded file is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, bytes.Repeat([]byte("garbage"), 3000))
			ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, ogg, noLease)
			tt.spoil(t, w)
			for range 2 {
				if err := Transcode(t.Context(), w.request(aac), w.Deps); err != nil {
					t.Fatal(err)
				}
				if u := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID); u.Status != ingest.Failed || u.Reason != tt.words {
					t.Errorf("%s: %q, want %q", u.Status, u.Reason, tt.words)
				}
				w.nothing(t)
			}
		})
	}
}

// An upload that came to its end wants no more renditions: no work begins.
func TestSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, status := range []ingest.Status{ingest.Playable, ingest.Failed, ingest.Duplicate} {
		w.upload.Status = status
		if _, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{w.upload.Update()}); err != nil {
			t.Fatal(err)
		}
		w.faults.set(func(r *http.Request) error {
			t.Errorf("%s: the bucket was asked for %s", status, r.URL)
			return nil
		})
		if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
			t.Error(err)
		}
		w.faults.set(nil)
		w.nothing(t)
	}
}

// What a request asks for that cannot be: it is tried again and dead-letters,
// but leaves nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		change func(*eventpb.TranscodeRequested)
		words  string
	}{
		{func(m *eventpb.TranscodeRequested) { m.Format = "wma" }, `format "wma" is not known`},
		{func(m *eventpb.TranscodeRequested) { m.Bitrate = 128 }, `quality "128" is not known`},
		{func(m *eventpb.TranscodeRequested) { m.UploadId = "another" }, "there is no upload another"},
		{func(m *eventpb.TranscodeRequested) { m.SourceSamples += sourceRate }, "its source makes 141121"},
	} {
		m := w.request(ogg)
		tt.change(m)
		if err := Transcode(t.Context(), m, w.Deps); err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("got %v, want %q", err, tt.words)
		}
		w.nothing(t)
	}
	// Another track's: there is nothing to do.
	m := w.request(ogg)
	m.TrackId = "another"
	if err := Transcode(t.Context(), m, w.Deps); err != nil {
		t.Error(err)
	}
	w.nothing(t)
}
