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
	writeFile(t, filepath.Join(music, "albums/x/album.json"), `{"title": "An Album", "author": "A", "date": "2020", "extra": 1,
		"tracks": [{"filename": "one.opus", "title": "One", "author": "B"}, {"filename": "two.opus", "title": "Two", "author": "A"}]}`)
	writeFile(t, filepath.Join(music, "albums/x/license.txt"), "`An Album` - Copyright (C) A\r\n\r\nlicensed under:\r\nCC-BY-SA-3.0\n\n---\n\n[EN]\nlong text")
	for _, f := range []string{"albums/x/one.opus", "albums/x/two.opus", "menu.opus"} {
		writeFile(t, filepath.Join(music, f), f)
	}
	all, err := warzone.list(t.Context(), root)
	if err != nil || len(all) != 3 || !complete(all) {
		t.Fatalf("%d pieces, %v", len(all), err)
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
