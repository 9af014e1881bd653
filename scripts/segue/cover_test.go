package main

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// Which picture is taken, that it is sent once and first, and that each track of
// its folder, and no other, names it.
func TestCovers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		args  []string
		want  string // the covers that are sent
	}{
		"the first by name":     {[]string{"front.png", "Folder.JPG", "b.flac", "a.flac"}, nil, "Folder.JPG image/jpeg"},
		"the first by its type": {[]string{"cover.webp", "COVER.jpeg", "cover.txt", "a.flac"}, nil, "COVER.jpeg image/jpeg"},
		"WebP":                  {[]string{"front.webp", "a.flac", "b.flac", "c.flac"}, nil, "front.webp image/webp"},
		"a folder each":         {[]string{"1/cover.png", "1/a.flac", "2/cover.jpg", "2/b.flac", "3/c.flac"}, nil, "cover.png image/png, cover.jpg image/jpeg"},
		"not the one above":     {[]string{"cover.png", "1/a.flac"}, nil, ""},
		"another name":          {[]string{"scan.png", "a.flac"}, nil, ""},
		"a folder":              {[]string{"cover.png/x.flac", "a.flac"}, nil, ""},
		"without":               {[]string{"cover.png", "a.flac"}, []string{"--no-cover"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			dir := s.files(t, c.files...)
			if code, out, errs := s.run(t.Context(), append([]string{"upload", dir}, c.args...)...); code != 0 || strings.Contains(out, "image") {
				t.Fatalf("%d %s%s", code, out, errs)
			}
			var sent []string
			pictures := map[string]bool{}
			for _, u := range s.Uploads() {
				if strings.HasPrefix(u.ContentType, "image/") {
					sent = append(sent, u.Filename+" "+u.ContentType)
					pictures[u.ID] = true
				} else if (u.Metadata.Cover != "") != (len(c.want) > 0 && u.Filename != "c.flac" || name == "WebP") || (u.Metadata.Cover != "" && !pictures[u.Metadata.Cover]) {
					t.Errorf("%s names the cover %q", u.Filename, u.Metadata.Cover)
				}
			}
			if got := strings.Join(sent, ", "); got != c.want && got != "cover.jpg image/jpeg, cover.png image/png" {
				t.Errorf("sent %q, want %q", got, c.want)
			}
			if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
				t.Errorf("%q are remembered", left)
			}
		})
	}
}

// A cover that is refused is told of, with code 1; the tracks go without it.
func TestCoverThatFails(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*shell){
		"cover.png: failed it is broken": func(s *shell) {
			s.End["cover.png"] = client.Status{Status: ingest.Failed, Reason: "it is broken"}
		},
		"cover.png: announce: 400: too many": func(s *shell) { s.Refused = "cover.png" },
	} {
		s := newShell(t)
		dir := s.files(t, "cover.png", "a.flac", "b.flac")
		refuse(s)
		code, out, _ := s.run(t.Context(), "upload", dir)
		if code != 1 || strings.Count(out, name) != 1 || strings.Count(out, "playable") != 2 {
			t.Errorf("%d %s", code, out)
		}
		for _, u := range s.Uploads() {
			if u.Metadata.Cover != "" {
				t.Errorf("%s names the cover", u.Filename)
			}
		}
		if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
			t.Errorf("%q are remembered", left)
		}
	}
}

// Interrupted in a track, run again: neither the cover nor the track begins anew.
func TestRestartWithCover(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	content := bytes.Repeat([]byte("a song of ten! "), 100_000)
	s.write(t, "a.flac", content)
	dir := s.files(t, "cover.png")
	ctx, cancel := context.WithCancelCause(t.Context())
	s.Before = func(http.ResponseWriter, *http.Request) bool {
		if s.Count("PUT") == 4 { // the cover's one, and the track's third
			cancel(errInterrupted)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	if code, out, errs := s.run(ctx, "upload", dir); code != 130 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	s.Do(func() { s.Before = nil })
	code, out, errs := s.run(t.Context(), "upload", dir)
	all := s.Uploads()
	if code != 0 || len(all) != 2 || all[1].Metadata.Cover != all[0].ID || !bytes.Equal(all[1].Held, content) {
		t.Errorf("%d %s%s: %d uploads", code, out, errs, len(all))
	}
	if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
		t.Errorf("%q are remembered", left)
	}
}

// A track that an earlier run left in the middle still needs the cover, though
// this run is of another file.
func TestCoverIsKeptForAnEarlierRun(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.write(t, "a.flac", bytes.Repeat([]byte("a song of ten! "), 100_000))
	dir := s.files(t, "cover.png", "0.flac")
	ctx, cancel := context.WithCancelCause(t.Context())
	s.Before = func(http.ResponseWriter, *http.Request) bool {
		if s.Count("PUT") == 4 { // the cover's one, and the track's third
			cancel(errInterrupted)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	if code, out, errs := s.run(ctx, "upload", dir+"/a.flac"); code != 130 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	s.Do(func() { s.Before = nil })
	for _, file := range []string{"/0.flac", "/a.flac"} {
		if code, out, errs := s.run(t.Context(), "upload", dir+file); code != 0 {
			t.Fatalf("%d %s%s", code, out, errs)
		}
	}
	if all := s.Uploads(); len(all) != 3 {
		t.Errorf("%d uploads of a cover and two tracks", len(all))
	}
	if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
		t.Errorf("%q are remembered", left)
	}
}

// While a track of its folder is not settled, the cover is not sent again: the
// track is to be announced in the same words.
func TestCoverIsKeptForTheLastTrack(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	dir := s.files(t, "cover.png", "0.flac", "a.flac")
	s.Refused = "a.flac"
	if code, out, _ := s.run(t.Context(), "upload", dir); code != 1 || strings.Count(out, "playable") != 1 {
		t.Fatalf("%d %s", code, out)
	}
	s.Refused = ""
	if code, out, errs := s.run(t.Context(), "upload", dir); code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	cover := s.Uploads()[0].ID
	for _, u := range s.Uploads()[1:] {
		if u.Metadata.Cover != cover {
			t.Errorf("%s names %q, not %s", u.Filename, u.Metadata.Cover, cover)
		}
	}
	if left, _ := filepath.Glob(s.cache + "/*"); len(left) > 0 {
		t.Errorf("%q are remembered", left)
	}
}
