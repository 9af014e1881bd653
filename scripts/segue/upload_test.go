package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
	}{
		"one":      {[]string{"DIR/good.flac"}, 0, "good.flac: playable, track track-of-good.flac\n"},
		"a failed": {[]string{"DIR/good.flac", "DIR/bad.mp3"}, 1, "good.flac: playable, track track-of-good.flac\nbad.mp3: failed: not audio\n"},
		"a duplicate": {
			[]string{"DIR/again.ogg"}, 0, "again.ogg: duplicate of other: the same file\n",
		},
		"JSON": {
			[]string{"--json", "DIR/good.flac", "DIR/bad.mp3", "DIR/again.ogg", "DIR/refused.wav"},
			1,
			`{"file":"good.flac","id":"ID1","status":"playable","progress":1,"track_id":"track-of-good.flac"}
{"file":"bad.mp3","id":"ID2","status":"failed","progress":0,"reason":"not audio"}
{"file":"again.ogg","id":"ID3","status":"duplicate","progress":1,"reason":"the same file","duplicate_of":"other"}
{"file":"refused.wav","progress":0,"error":"refused.wav: announce: 400: too many"}
`,
		},
		"not followed": {[]string{"--wait=false", "DIR/good.flac"}, 0, "good.flac: waiting, upload ID1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.files(t, "good.flac", "bad.mp3", "again.ogg", "refused.wav")
			s.End["bad.mp3"] = client.Status{Status: ingest.Failed, Reason: "not audio"}
			s.End["again.ogg"] = client.Status{Status: ingest.Duplicate, Reason: "the same file", DuplicateOf: "other", Progress: 1}
			s.Refused = "refused.wav"
			args := []string{"upload", "--parallel", "1"}
			for _, a := range c.args {
				args = append(args, strings.Replace(a, "DIR", s.dir, 1))
			}
			code, out, errs := s.run(t.Context(), args...)
			// Following is not in the order of sending.
			got, want := strings.SplitAfter(out, "\n"), strings.SplitAfter(c.out, "\n")
			slices.Sort(got)
			slices.Sort(want)
			if code != c.code || !slices.Equal(got, want) {
				t.Errorf("code %d\n%s%s", code, out, errs)
			}
			left, _ := filepath.Glob(s.cache + "/*")
			if settled := !strings.HasPrefix(name, "not"); settled != (len(left) == 0) {
				t.Errorf("%q are remembered", left)
			}
		})
	}
}

// A folder is walked as a person counts, with the types and words that are
// given, and nothing is sent twice.
func TestUploadFolder(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	dir := s.files(t, "b/Disc 10/1.flac", "b/Disc 2/10 x.MP3", "b/Disc 2/2 x.opus", "b/cover.jpg", "b/.hidden.flac", "b/.git/x.flac", "a.m4a")
	if err := os.Symlink(filepath.Join(dir, "a.m4a"), filepath.Join(dir, "b/linked.m4a")); err != nil {
		t.Fatal(err)
	}
	code, out, errs := s.run(t.Context(), "upload", "--parallel", "1", dir+"/b", dir+"/a.m4a", dir+"/b/Disc 2", "--no-cover", "--artist", "A", "--artist", "B, C",
		"--album", "L", "--label", "R", "--genre", "g", "--release-date", "2016-04", "--copyright", "c", "--market", "SE", "--market", "NO",
		"--explicit", "--allow-duplicate")
	if code != 0 {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	want := ingest.Metadata{
		Artists: []string{"A", "B, C"}, Album: "L", Label: "R", Genres: []string{"g"}, ReleaseDate: "2016-04", Copyrights: []string{"c"},
		Markets: []string{"SE", "NO"}, Explicit: new(true),
	}
	var got []string
	for _, u := range s.Uploads() {
		got = append(got, u.Filename+" "+u.ContentType)
		if !u.AllowDuplicate || !reflect.DeepEqual(u.Metadata, want) || !bytes.HasPrefix(u.Held, []byte("sound of ")) {
			t.Errorf("%+v", u)
		}
	}
	order := []string{"2 x.opus audio/opus", "10 x.MP3 audio/mpeg", "1.flac audio/flac", "linked.m4a audio/mp4", "a.m4a audio/mp4"}
	if !slices.Equal(got, order) {
		t.Errorf("sent %q", got)
	}
}

// Interrupted in the middle, run again as a new process: it goes on, with the
// same upload, and the file is whole.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	content := bytes.Repeat([]byte("a song of ten! "), 100_000)
	path := s.write(t, "a.flac", content)
	ctx, cancel := context.WithCancelCause(t.Context())
	s.Before = func(http.ResponseWriter, *http.Request) bool {
		if s.Count("PUT") == 3 {
			cancel(errInterrupted)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	code, out, errs := s.run(ctx, "upload", "--json", path)
	if code != 130 || !strings.Contains(out, "interrupted") || !strings.Contains(errs, "goes on where it is") {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	s.Do(func() { s.Before = nil })
	code, out, errs = s.run(t.Context(), "upload", "--json", path)
	if want := `{"file":"a.flac","id":"ID1","status":"playable","progress":1,"track_id":"track-of-a.flac"}` + "\n"; code != 0 || out != want {
		t.Errorf("%d %s%s", code, out, errs)
	}
	all := s.Uploads()
	// Two chunks, one cut, a question, and what remains of six.
	if len(all) != 1 || !bytes.Equal(all[0].Held, content) || s.Count("PUT") != 3+1+4 {
		t.Errorf("%d uploads, %d requests", len(all), s.Count("PUT"))
	}
	if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
		t.Errorf("%q are remembered", left)
	}
}

// Bars are for terminals; what they show does not get into the results.
func TestBars(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.change = func(a *app) { a.errTerminal = true }
	s.files(t, "a.flac", "b.flac")
	code, out, errs := s.run(t.Context(), "upload", "--json", s.dir)
	if code != 0 || strings.Count(out, "\n") != 2 || strings.Contains(out, "total") || !strings.Contains(errs, "total") {
		t.Errorf("%d\n%s\n%q", code, out, errs)
	}
}
