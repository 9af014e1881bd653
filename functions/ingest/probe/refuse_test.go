package probe

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func cut(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b[:len(b)*6/10]
}

// What is wrong for good ends the upload, with the reason in words.
func TestRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noise := func(args ...string) []byte { return cut(t, ingesttest.Audio(t, "anoisesrc=d=2", args...)) }
	whole := func(lavfi string, args ...string) []byte {
		b, err := os.ReadFile(ingesttest.Audio(t, lavfi, args...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	long := whole("anullsrc=r=1000:cl=mono:d=7201", "a.flac")
	for _, tt := range []struct {
		name    string
		content []byte
		missing int // bytes that were announced, but not sent
		words   string
	}{
		{"another size", []byte("a few bytes"), 5, "the file has 11 bytes, but 16 were announced"},
		{"no bytes", nil, 0, "the file is empty"},
		{"no bytes of some", nil, 10, "the file is empty"},
		{"text", []byte(strings.Repeat("Lorem ipsum dolor sit amet. ", 500)), 0, "not audio of a kind that is accepted (FLAC, WAV, MP3, Ogg Vorbis, Opus, M4A): the file: "},
		{"a playlist", []byte("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), 0, "not audio of a kind that is accepted"},
		{"a video without sound", whole("testsrc=d=1:s=64x64", "a.mp4"), 0, "it has no audio stream"},
		{"a FLAC of nothing", whole("anullsrc=d=1", "a.flac")[:42], 0, "not audio of a kind that is accepted"},
		{"truncated FLAC", noise("a.flac"), 0, "the audio is corrupt or truncated: decoding stops after 1."},
		{"truncated WAV", noise("-ac", "2", "a.wav"), 0, "the audio is corrupt or truncated: decoding stops after 1."},
		{"truncated MP3", noise("a.mp3"), 0, "the audio is truncated: it is 1."},
		{"truncated M4A", noise("a.m4a"), 0, "not audio of a kind that is accepted"},
		{"truncated M4A with its index first", noise("-movflags", "faststart", "a.m4a"), 0, "the audio is corrupt or truncated"},
		{"truncated Ogg Vorbis", noise("-c:a", "libvorbis", "a.ogg"), 0, "the audio is truncated: its last Ogg page is cut"},
		{"truncated Opus", noise("-c:a", "libopus", "-ar", "48000", "a.opus"), 0, "the audio is truncated: its last Ogg page is cut"},
		{
			"two files in one", append(whole("sine=440:d=2", "-c:a", "libvorbis", "a.ogg"), whole("sine=440:d=1", "-c:a", "libvorbis", "a.ogg")...), 0,
			"the audio is damaged: it is 3s long, its container says 1s",
		},
		{"too long", long, 0, "the audio is longer than 2h0m0s"},
		{"too long, and does not say so", unsaid(bytes.Clone(long)), 0, "the audio is longer than 2h0m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := ingesttest.Announce(t, w.Writer.Spanner, ingest.Upload{}, len(tt.content)+tt.missing)
			n := w.put(t, u.Object, tt.content)
			for range 2 { // the second delivery changes nothing
				u = w.deliver(t, n)
				if u.Status != ingest.Failed || !strings.Contains(u.Reason, tt.words) || u.TrackID != "" || u.Generation == 0 {
					t.Errorf("%s: %q does not say %q", u.Status, u.Reason, tt.words)
				}
				if strings.Contains(u.Reason, os.TempDir()) {
					t.Errorf("reason %q names a path", u.Reason)
				}
			}
		})
	}
	w.rows(t, map[string]int64{"Tracks": 0, "Albums": 0, "Artists": 0, "Outbox": 0})
	if n := len(w.requested(t)); n != 0 {
		t.Errorf("%d events of refused files", n)
	}
}

// unsaid takes the length out of a FLAC's header, as encoders leave it that
// write to a pipe. https://www.rfc-editor.org/rfc/rfc9639#section-8.2
func unsaid(flac []byte) []byte {
	flac[21] &= 0xf0
	clear(flac[22:26])
	return flac
}

// An object that is gone before the event comes does not come back.
func TestRefusesWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	if err := w.Uploads.Object(n.Object).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := w.deliver(t, n); u.Status != ingest.Failed || u.Reason != "the uploaded file is gone" {
		t.Errorf("%s: %s", u.Status, u.Reason)
	}
}

// An object that says it is compressed is read as it is stored: what it would
// unpack to has no limit.
func TestStoredCompressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	u := ingesttest.Announce(t, w.Writer.Spanner, ingest.Upload{}, b.Len())
	o := w.Uploads.Object(u.Object).NewWriter(t.Context())
	o.ContentEncoding = "gzip"
	if _, err := o.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := ingest.Download(t.Context(), w.Uploads, u.Object, o.Attrs().Generation, file, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%d bytes were read of %d that are stored, %v", len(got), b.Len(), err)
	}
	n := event.Finalized{Bucket: w.Uploads.BucketName(), Object: u.Object, Generation: strconv.FormatInt(o.Attrs().Generation, 10)}
	if got := w.deliver(t, n); got.Status != ingest.Failed || !strings.Contains(got.Reason, "not audio") {
		t.Errorf("%s: %s", got.Status, got.Reason)
	}
}
