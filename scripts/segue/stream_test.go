package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

func TestStream(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	plain := bytes.Repeat([]byte("a song of ten! "), 100_000)
	s.Seal(t, track, plain).Breaks = []int{70_000}
	code, out, errs := s.run(t.Context(), "stream", "spotify:track:"+track)
	if code != 0 || out != string(plain) || !strings.Contains(errs, "again in") {
		t.Errorf("%d: %d bytes, %s", code, len(out), errs)
	}
	file := s.write(t, "out.ogg", []byte("old"))
	code, out, errs = s.run(t.Context(), "stream", track, "--json", "-o", file, "--format", "ogg", "--quality", "160")
	want := `{"track_id":"` + track + `","format":"ogg","bitrate":160,"mime_type":"audio/ogg; codecs=\"vorbis\"","size":1500000,"file":"out.ogg"}` + "\n"
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, plain) || code != 0 || out != want || errs != "" {
		t.Errorf("%d: %s%s, %v", code, out, errs, err)
	}
}

// A damaged block ends it: nothing bad is written, and a file stays what it was.
func TestStreamOfDamagedAudio(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	plain := bytes.Repeat([]byte("a song of ten! "), 20_000)
	s.Seal(t, track, plain).Sealed[70_000] ^= 1
	code, out, errs := s.run(t.Context(), "stream", track)
	if code != 1 || out != string(plain[:65_536]) || !strings.Contains(errs, "the audio is damaged at byte 65536: block 1") {
		t.Errorf("%d: %d bytes, %s", code, len(out), errs)
	}
	file := s.write(t, "out.ogg", []byte("old"))
	code, out, errs = s.run(t.Context(), "stream", track, "-o", file, "--json")
	got, err := os.ReadFile(file)
	all, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(s.dir, ".*"))
	if code != 1 || !strings.Contains(out, `{"error":"stream `+track+`: the audio is damaged`) || string(got) != "old" || len(all)+len(hidden) != 1 {
		t.Errorf("%d: %s%s; %q, %v, %q", code, out, errs, got, err, append(all, hidden...))
	}
}

func TestStreamToATerminal(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.Seal(t, track, []byte("sound"))
	s.change = func(a *app) { a.outTerminal, a.errTerminal = true, true }
	if code, out, errs := s.run(t.Context(), "stream", track); code != 2 || out != "" || !strings.Contains(errs, "not written to a terminal") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	// Where both are one terminal, results go above the bars.
	code, out, errs := s.run(t.Context(), "stream", track, "-o", filepath.Join(s.dir, "x"))
	if code != 0 || out != "" || !strings.Contains(errs, "x: 5 bytes of ogg at 160 kbit/s") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.files(t, "a.flac", "b.flac")
	s.End["b.flac"] = client.Status{Status: ingest.Failed, Reason: "not audio"}
	if code, out, errs := s.run(t.Context(), "upload", "--wait=false", "--parallel", "1", s.dir); code != 0 {
		t.Fatal(out, errs)
	}
	a, b := s.Uploads()[0].ID, s.Uploads()[1].ID
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{a}, 0, "ID1: processing 50 %\n"},
		{[]string{a, "--json"}, 0, `{"id":"ID1","status":"playable","progress":1,"track_id":"track-of-a.flac"}` + "\n"},
		{[]string{b, "--watch", "--json"}, 1, `{"id":"ID2","status":"processing","progress":0.5}` + "\n" + `{"id":"ID2","status":"failed","progress":0,"reason":"not audio"}` + "\n"},
		{[]string{a, b}, 1, "ID1: playable, track track-of-a.flac\nID2: failed: not audio\n"},
		{[]string{track, a}, 1, track + ": 404: there is no upload " + track + "\nID1: playable, track track-of-a.flac\n"},
		{[]string{track, "--watch"}, 1, track + ": 404: there is no upload " + track + "\n"},
	} {
		if code, out, errs := s.run(t.Context(), append([]string{"status"}, c.args...)...); code != c.code || out != c.out {
			t.Errorf("%q: %d\n%s%s", c.args, code, out, errs)
		}
	}
}

func TestStatusIsInterrupted(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	s.Before = func(http.ResponseWriter, *http.Request) bool {
		cancel(errInterrupted)
		panic(http.ErrAbortHandler)
	}
	if code, _, errs := s.run(ctx, "status", "--watch", track); code != 130 {
		t.Errorf("%d: %s", code, errs)
	}
}
