package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/emulators/harness"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/client/clienttest"
	"github.com/segue-audio/segue/shared/ingest"
)

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWarzoneSaysWhatItsFilesAre(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	music := filepath.Join(root, "usr/share/games/warzone2100/music")
	writeFile(t, filepath.Join(music, "albums/x/album.json"), `{"title": "An Album", "author": "A", "date": "2020", "extra": 1, "album_cover_filename": "c.png",
		"tracks": [{"filename": "one.opus", "title": "One", "author": "B"}, {"filename": "two.opus", "title": "Two", "author": "A"}]}`)
	writeFile(t, filepath.Join(music, "albums/x/license.txt"), "`An Album` - Copyright (C) A\r\n\r\nlicensed under:\r\nCC-BY-SA-3.0\n\n---\n\n[EN]\nlong text")
	for _, f := range []string{"albums/x/one.opus", "albums/x/two.opus", "menu.opus"} {
		writeFile(t, filepath.Join(music, f), f)
	}
	all, err := warzone.list(t.Context(), root)
	if err != nil || len(all) != 3 || !complete(all) {
		t.Fatalf("%d pieces, %v", len(all), err)
	}
	if want := filepath.Join(music, "albums/x/c.png"); all[0].cover != want || all[1].cover != want || all[2].cover != "" {
		t.Errorf("covers are %q, %q, %q", all[0].cover, all[1].cover, all[2].cover)
	}
	m := all[0].metadata
	if m.Title != "One" || m.Artists[0] != "B" || m.Album != "An Album" || m.AlbumArtists[0] != "A" || m.TrackNumber != 1 || m.ReleaseDate != "2020" || m.Credits[0].Role != "composer" {
		t.Errorf("metadata = %+v", m)
	}
	if diff := cmp.Diff([]string{"`An Album` - Copyright (C) A", "licensed under: CC-BY-SA-3.0"}, m.Copyrights); diff != "" {
		t.Error(diff)
	}
	for _, p := range all {
		u := ingest.Upload{Filename: filepath.Base(p.file), ContentType: p.contentType, Metadata: p.metadata}
		if err := u.Check(); err != nil {
			t.Errorf("%s would be refused: %v", p.file, err)
		}
	}
}

func TestAlbumsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ json, licence, want string }{
		"not JSON":       {"{", "x", "unexpected end"},
		"path":           {`{"tracks": [{"filename": "../x.opus"}]}`, "x", `track 1 has the file name "../x.opus"`},
		"cover's path":   {`{"album_cover_filename": "../x.png", "tracks": []}`, "x", `the cover has the file name "../x.png"`},
		"no file":        {`{"tracks": [{"title": "x"}]}`, "x", `track 1 has the file name ""`},
		"empty licence":  {`{"tracks": [{"filename": "x.opus"}]}`, "--\n\n", "names no licence"},
		"without albums": {"", "", "it has no albums"},
	} {
		root := t.TempDir()
		if test.json != "" {
			dir := filepath.Join(root, "usr/share/games/warzone2100/music/albums/x")
			writeFile(t, filepath.Join(dir, "album.json"), test.json)
			writeFile(t, filepath.Join(dir, "license.txt"), test.licence)
		}
		if _, err := warzone.list(t.Context(), root); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{out: &out, lengths: []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute}, left: 10 * time.Minute}
	p.done(0, false, nil)
	p.done(1, true, nil)
	p.done(2, true, errors.New("x.ogg: failed"))
	p.done(3, true, nil)
	p.end()
	want := "[###############...............] 2/4 tracks, 7 min of music left\nx.ogg: failed; the music goes on\n" +
		"[##############################] 3/4 tracks, 0 min of music left\nthe music is complete: 3 of 4 tracks, 2 made now, 1 failed\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A client that is not there: whatever is sent fails.
func TestWhatCanBePlayedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.ogg")
	writeFile(t, file, "abc")
	var asked []byte
	c := catalogue{out: &bytes.Buffer{}, find: func(_ context.Context, sum []byte) (*harness.Source, error) {
		asked = sum
		return &harness.Source{TrackID: "t", Playable: true}, nil
	}}
	track, sent, err := c.bring(t.Context(), piece{file: file}, false)
	if err != nil || track != "t" || sent || len(asked) != 32 {
		t.Errorf("bring = %q, %v, %v; asked for %x", track, sent, err, asked)
	}
	c.find = func(context.Context, []byte) (*harness.Source, error) { return nil, errors.New("away") }
	if _, _, err := c.bring(t.Context(), piece{file: file}, false); err == nil || err.Error() != "a.ogg: away" {
		t.Errorf("a catalogue that is away: %v", err)
	}
}

// A cover is sent once for all tracks of its album; one that is refused stops
// none of them.
func TestCoversAreSentOnce(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	s.End["bad.png"] = client.Status{Status: ingest.Failed, Reason: "it is broken"}
	dir := t.TempDir()
	for _, f := range []string{"good.png", "bad.png", "1.flac", "2.flac", "3.flac", "4.flac"} {
		writeFile(t, filepath.Join(dir, f), f)
	}
	var out bytes.Buffer
	c := catalogue{
		client: &client.Client{BaseURL: s.URL, HTTP: s.Client(), Token: func() (string, error) { return "t", nil }},
		find:   func(context.Context, []byte) (*harness.Source, error) { return nil, nil }, out: &out, covers: &covers{uploads: map[string]string{}},
	}
	for track, cover := range map[string]string{"1.flac": "good.png", "2.flac": "good.png", "3.flac": "bad.png", "4.flac": "bad.png"} {
		if _, _, err := c.bring(t.Context(), piece{file: filepath.Join(dir, track), contentType: "audio/flac", cover: filepath.Join(dir, cover)}, false); err != nil {
			t.Fatal(err)
		}
	}
	var good string
	for _, u := range s.Uploads() {
		if u.Filename == "good.png" {
			good = u.ID
		}
	}
	for _, u := range s.Uploads() {
		if want := map[string]string{"1.flac": good, "2.flac": good}[u.Filename]; u.Metadata.Cover != want {
			t.Errorf("%s names %q, want %q", u.Filename, u.Metadata.Cover, want)
		}
	}
	if n := len(s.Uploads()); n != 6 || strings.Count(out.String(), "bad.png: failed it is broken; the music goes on without it") != 1 {
		t.Errorf("%d uploads; the log: %s", n, &out)
	}
}

func TestTheBackgroundGoesOnWithoutAPackage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "a.ogg")
	writeFile(t, file, "abc")
	none := source{pkg: "no-such-package", list: func(context.Context, string) ([]piece, error) { return nil, nil }}
	some := source{pkg: "some", list: func(context.Context, string) ([]piece, error) { return []piece{{file: file}, {file: file}}, nil }}
	c := catalogue{out: &out, find: func(context.Context, []byte) (*harness.Source, error) { return nil, errors.New("away") }}
	if err := c.all(t.Context(), t.TempDir(), none, some); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Debian's package no-such-package cannot be had", "a.ogg: away; the music goes on", "0 of 2 tracks, 0 made now, 2 failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out.String())
		}
	}
}
