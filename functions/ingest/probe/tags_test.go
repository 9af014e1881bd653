package probe

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/japanese"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestTags(t *testing.T) {
	t.Parallel()
	type m = ingest.Metadata
	type of = map[string]string
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("Somebody %d", i)
	}
	credit := func(all ...string) (c []catalog.Credit) {
		for i := 0; i < len(all); i += 2 {
			c = append(c, catalog.Credit{Role: all[i], Name: all[i+1]})
		}
		return c
	}
	for _, tt := range []struct {
		name      string
		container string
		said      m
		tags      of
		want      catalog.Draft // of its fields that are not empty
	}{
		{"credits", "flac", m{}, of{
			"composer": "C;D", "lyricist": "L", "writer": "W", "arranger": "A", "producer": "P", "performer": "F (guitar)", "engineer": "E", "mixer": "M",
			"mixartist": "R", "conductor": "X", "text": "no names",
		}, catalog.Draft{Credits: credit("performer", "F (guitar)", "composer", "C", "composer", "D", "lyricist", "L", "writer", "W", "arranger", "A",
			"producer", "P", "engineer", "E", "mixer", "M", "remixer", "R")}},
		{
			"credits of ID3", "mp3",
			m{},
			of{"composer": "C", "text": "L", "tpe4": "R", "performer": "a conductor", "performers": "F (guitar);G", "tipl": "producer", "tmcl": "guitar"},
			catalog.Draft{Credits: credit("performer", "F (guitar)", "performer", "G", "composer", "C", "lyricist", "L", "remixer", "R")},
		},
		{
			"credits of the request are all", "flac",
			m{Credits: credit("producer", "S")},
			of{"composer": "C", "producer": "P"},
			catalog.Draft{Credits: credit("producer", "S")},
		},
		{"names that are not split", "flac", m{}, of{"artist": "AC/DC; Simon & Garfunkel;Earth, Wind & Fire;AC/DC"}, catalog.Draft{Artists: []string{"AC/DC", "Simon & Garfunkel", "Earth, Wind & Fire"}}},
		{"too many values", "flac", m{}, of{"artist": strings.Join(many, ";")}, catalog.Draft{Artists: many[:100]}},
		{"a compilation", "flac", m{}, of{"compilation": "1", "album": "Hits", "artist": "A"}, catalog.Draft{AlbumArtists: []string{"Various Artists"}, Artists: []string{"A"}}},
		{"a compilation by somebody", "flac", m{}, of{"compilation": "1", "album": "Hits", "album_artist": "DJ"}, catalog.Draft{AlbumArtists: []string{"DJ"}}},
		{"a compilation by whom the request says", "flac", m{AlbumArtists: []string{"S"}}, of{"compilation": "1", "album": "Hits"}, catalog.Draft{AlbumArtists: []string{"S"}}},
		{"no compilation", "flac", m{}, of{"compilation": "0", "album": "Hits", "artist": "A"}, catalog.Draft{AlbumArtists: []string{}}},
		{"a compilation without a name", "flac", m{}, of{"compilation": "1", "artist": "A"}, catalog.Draft{AlbumArtists: []string{}}},
		{"numbers", "flac", m{}, of{"track": " 3/12 ", "disc": "1/2"}, catalog.Draft{TrackNumber: 3, DiscNumber: 1}},
		{"explicit", "mp3", m{}, of{"itunesadvisory": "1"}, catalog.Draft{Explicit: true}},
		{"explicit in MP4", "mov,mp4,m4a,3gp,3g2,mj2", m{}, of{"rating": "4"}, catalog.Draft{Explicit: true}},
		{"explicit by the request", "mp3", m{Explicit: new(true)}, of{"itunesadvisory": "2"}, catalog.Draft{Explicit: true}},
		{"not explicit by the request", "mp3", m{Explicit: new(false)}, of{"itunesadvisory": "1"}, catalog.Draft{}},
		{"a year of zeros", "mp3", m{}, of{"date": "0000-00-00", "year": "2019"}, catalog.Draft{ReleaseDate: "2019"}},
		{"copyright and licence", "flac", m{}, of{"copyright": "© X", "license": "CC BY"}, catalog.Draft{Copyrights: []string{"© X", "CC BY"}}},
		{"the first ISRC that is one", "flac", m{}, of{"isrc": "none;SEABC2000001;SEABC2000002"}, catalog.Draft{ISRC: "SEABC2000001"}},
		{"another ISRC's tag", "flac", m{}, of{"isrc": "none", "tsrc": "SEABC2000003"}, catalog.Draft{ISRC: "SEABC2000003"}},
		{"date before year and original", "flac", m{}, of{"date": "2020", "year": "2019", "originaldate": "1970-01-01"}, catalog.Draft{ReleaseDate: "2020"}},
		{"year before original", "flac", m{}, of{"date": "?", "year": "2019", "originaldate": "1970-01-01"}, catalog.Draft{ReleaseDate: "2019"}},
		{"original", "mp3", m{}, of{"tdor": "1970-05"}, catalog.Draft{ReleaseDate: "1970-05"}},
		{"original year", "mp3", m{}, of{"tory": "1970"}, catalog.Draft{ReleaseDate: "1970"}},
		{"a month that is not known", "flac", m{}, of{"date": "2020-00-00"}, catalog.Draft{ReleaseDate: "2020"}},
		{"a day that is not known", "flac", m{}, of{"date": "2020-03-00"}, catalog.Draft{ReleaseDate: "2020-03"}},
		{"no dashes", "flac", m{}, of{"date": "20200304"}, catalog.Draft{ReleaseDate: "2020-03-04"}},
		{"too long a number", "flac", m{}, of{"date": "202003"}, catalog.Draft{ReleaseDate: "0000"}},
		{"a month and a time", "flac", m{}, of{"date": "2020-03 12:00"}, catalog.Draft{ReleaseDate: "2020-03"}},
		{"emoji", "flac", m{}, of{"title": "🎵 👩‍🎤"}, catalog.Draft{Title: "🎵 👩‍🎤"}},
		{"from right to left", "flac", m{}, of{"title": "\u202bشלום\u202c", "artist": "\u2067فيروز\u2069;\u200fא"}, catalog.Draft{Title: "شלום", Artists: []string{"فيروز", "\u200fא"}}},
		{"turned around", "flac", m{Title: "gpj.\u202egnp", Credits: credit("writer", "a\u2066b\nc")}, of{}, catalog.Draft{Title: "gpj.gnp", Credits: credit("writer", "ab c")}},
		{"of nothing but direction", "flac", m{Title: "\u202e", Artists: []string{"\u202e"}, Credits: credit("writer", "\u202e")}, of{"title": "T"}, catalog.Draft{Title: "T", Artists: []string{"Unknown Artist"}, Credits: []catalog.Credit{}}},
		{"paths and markup", "flac", m{}, of{"title": "../../etc/passwd", "album": "<script>alert(1)</script>"}, catalog.Draft{Title: "../../etc/passwd", Album: "<script>alert(1)</script>"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := reflect.ValueOf(describe(&ingest.Upload{Metadata: tt.said, Filename: "f"}, file{Info: ffmpeg.Info{Container: tt.container, SampleRate: 1, Tags: tt.tags}}))
			want := reflect.ValueOf(tt.want)
			for i := range want.NumField() {
				g, w := got.Field(i), want.Field(i)
				if w.Kind() == reflect.Slice && !w.IsNil() && w.Len() == 0 {
					if g.Len() > 0 {
						t.Errorf("%s: %v", want.Type().Field(i).Name, g)
					}
				} else if !w.IsZero() {
					if diff := cmp.Diff(w.Interface(), g.Interface()); diff != "" {
						t.Errorf("%s: %s", want.Type().Field(i).Name, diff)
					}
				}
			}
		})
	}
	for container, tags := range map[string]tags{"flac": {"rating": "1"}, "mp3": {"itunesadvisory": "2"}, "mov,mp4": {"rating": "2"}, "ogg": {}} {
		if tags.explicit(container) {
			t.Errorf("%v in %s is explicit", tags, container)
		}
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"../../etc/passwd.flac": "../../etc/passwd", "🎵.flac": "🎵", "שלום.mp3": "שלום", "evil\u202e3pm.flac": "evil3pm", "\u202e.flac": ".flac", "\u202e": "Untitled",
		"日本語.ogg": "日本語",
	} {
		d := describe(&ingest.Upload{Filename: name}, file{Info: ffmpeg.Info{SampleRate: 1}})
		if d.Title != want {
			t.Errorf("%q is called %q, want %q", name, d.Title, want)
		}
	}
}

// Tags of real files, by the names that ffprobe gives them.
func TestTagsOfFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := []string{"-metadata", "composer=C", "-metadata", "compilation=1", "-metadata", "album=L", "-metadata", "artist=A", "-metadata", "title=S"}
			want := []catalog.Credit{{Role: "composer", Name: "C"}}
			if name != "a.m4a" { // into which ffmpeg writes no others
				set = append(set, "-metadata", "lyricist=T", "-metadata", "producer=P", "-metadata", "mixartist=R", "-metadata", "TSRC=SEABC2000001", "-metadata", "ITUNESADVISORY=1")
				want = append(want, []catalog.Credit{{Role: "lyricist", Name: "T"}, {Role: "producer", Name: "P"}, {Role: "remixer", Name: "R"}}...)
			}
			if name == "a.opus" {
				set = append(set, "-ar", "48000")
			}
			if name == "a.ogg" {
				set = append(set, "-c:a", "libvorbis")
			}
			info, err := ffmpeg.Inspect(t.Context(), ingesttest.Audio(t, "sine=440:d=0.2", append(set, name)...))
			if err != nil {
				t.Fatal(err)
			}
			d := describe(&ingest.Upload{Filename: name}, file{Info: info})
			if !slices.Equal(d.Credits, want) || d.AlbumArtists[0] != "Various Artists" || name != "a.m4a" && (d.ISRC != "SEABC2000001" || !d.Explicit) {
				t.Errorf("%+v of %q", d, info.Tags)
			}
		})
	}
}

// Japanese in Shift_JIS: as it is in FLAC, and in ID3 under Latin-1's name.
func TestTagsInShiftJIS(t *testing.T) {
	t.Parallel()
	const title = "日本語の表" // the last character's second byte is a backslash
	raw, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(title))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.flac", "a.mp3"} {
		place := "PLACEHOLDE"[:len(raw)]
		path := ingesttest.Audio(t, "sine=440:d=0.2", "-metadata", "title="+place, "-id3v2_version", "4", "-write_id3v1", "0", name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == "a.mp3" {
			content = bytes.Replace(content, append([]byte{3}, place...), append([]byte{0}, place...), 1)
		}
		patched := bytes.Replace(content, []byte(place), raw, 1)
		if bytes.Equal(patched, content) {
			t.Fatal("no such tag to patch")
		}
		if err := os.WriteFile(path, patched, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := ffmpeg.Inspect(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if d := describe(&ingest.Upload{Filename: name}, file{Info: info}); d.Title != title {
			t.Errorf("%s: %q of %q", name, d.Title, info.Tags)
		}
	}
}
