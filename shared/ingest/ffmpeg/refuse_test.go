package ffmpeg_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// cut is the first part of a file, in percent.
func cut(t *testing.T, file string, percent int) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "upload", b[:len(b)*percent/100])
}

// refused asks for an ErrFile whose words tell nothing of where the file lay.
func refused(t *testing.T, file string, err error, words string) {
	t.Helper()
	var bad *ffmpeg.ErrFile
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want an ErrFile", err)
	}
	if bad.Reason == "" || !strings.Contains(bad.Reason, words) {
		t.Errorf("reason %q does not say %q", bad.Reason, words)
	}
	for _, secret := range []string{filepath.Dir(file), os.TempDir(), "0x", "\n"} {
		if strings.Contains(bad.Reason, secret) {
			t.Errorf("reason %q holds %q", bad.Reason, secret)
		}
	}
}

func TestErrFile(t *testing.T) {
	t.Parallel()
	flac := ingesttest.Audio(t, "anoisesrc=d=2", "a.flac")
	header, err := os.ReadFile(flac)
	if err != nil {
		t.Fatal(err)
	}
	const invalid = "the file: Invalid data found when processing input"
	for _, tt := range []struct {
		name, file string
		inspect    string // the words of the refusal; "": only counting refuses
	}{
		{"text", write(t, "upload", []byte(strings.Repeat("Lorem ipsum dolor. ", 1000))), invalid},
		{"empty", write(t, "upload", nil), invalid},
		{"only a header", write(t, "upload", header[:42]), invalid},
		{"a picture", ingesttest.Audio(t, "testsrc=s=64x64", "-frames:v", "1", "-f", "image2", "upload"), "Invalid"},
		{"video without sound", ingesttest.Audio(t, "testsrc=d=1:s=64x64", "-f", "mp4", "upload"), "no audio stream"},
		{"another container", ingesttest.Audio(t, "sine=440:d=1", "-f", "matroska", "upload"), "the file: Invalid argument"},
		{"truncated FLAC", cut(t, flac, 60), ""},
		{"truncated WAV", cut(t, ingesttest.Audio(t, "anoisesrc=d=2", "-ac", "2", "a.wav"), 60), ""},
		{"M4A that ends before its index", cut(t, ingesttest.Audio(t, "anoisesrc=d=2", "a.m4a"), 60), invalid},
		{"M4A that ends after its index", cut(t, ingesttest.Audio(t, "anoisesrc=d=2", "-movflags", "faststart", "a.m4a"), 60), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ffmpeg.Inspect(t.Context(), tt.file)
			if tt.inspect != "" {
				refused(t, tt.file, err, tt.inspect)
			} else if err != nil {
				t.Error(err)
			}
			_, _, err = ffmpeg.Count(t.Context(), tt.file)
			refused(t, tt.file, err, "")
		})
	}
}

// A list would make ffmpeg open what it names, on our disk or on the network.
func TestListsOpenNothing(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	music := ingesttest.Audio(t, "sine=440:d=1", "a.mp3")
	for _, target := range []string{filepath.Base(music), server.URL + "/a.mp3"} {
		for name, form := range map[string]string{
			"m3u8":     "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n",
			"ffconcat": "ffconcat version 1.0\nfile '%s'\n",
			"sdp":      "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=%s\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 97\r\n",
			"dash": `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="audio/mp4">` +
				`<Representation id="1" bandwidth="1"><BaseURL>%s</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		} {
			file := filepath.Join(filepath.Dir(music), name+".mp3")
			if err := os.WriteFile(file, fmt.Appendf(nil, form, target), 0o600); err != nil {
				t.Fatal(err)
			}
			if plays := name == "m3u8" || name == "ffconcat"; plays && target == "a.mp3" && len(ingesttest.Decode(t, file)) == 0 {
				t.Fatalf("%s: a list that plays nowhere shows nothing", name)
			}
			_, err := ffmpeg.Inspect(t.Context(), file)
			refused(t, music, err, "the file: ")
			err = ffmpeg.Encode(t.Context(), file, filepath.Join(t.TempDir(), "out"), playback.Renditions()[0])
			refused(t, music, err, "the file: ")
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the network was asked %d times", n)
	}
}

// What is not the file's fault may succeed another time.
func TestNotTheFilesFault(t *testing.T) {
	t.Parallel()
	file := ingesttest.Audio(t, "sine=440:d=1", "a.flac")
	cancelled, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the instance is going away")
	cancel(gone)
	_, inspect := ffmpeg.Inspect(cancelled, file)
	_, _, count := ffmpeg.Count(cancelled, file)
	_, measure := ffmpeg.Measure(cancelled, file)
	encode := ffmpeg.Encode(cancelled, file, filepath.Join(t.TempDir(), "out"), playback.Renditions()[0])
	for name, err := range map[string]error{"inspect": inspect, "count": count, "measure": measure, "encode": encode} {
		if bad := new(ffmpeg.ErrFile); errors.As(err, &bad) || !errors.Is(err, gone) {
			t.Errorf("%s: got %v, want the cause of the cancellation", name, err)
		}
	}
}
