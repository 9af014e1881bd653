package probe

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// What the request says goes before the tags, and those before the file's name.
func TestDescribe(t *testing.T) {
	t.Parallel()
	type m = ingest.Metadata
	type of = map[string]string
	for _, tt := range []struct {
		name string
		said m
		tags of
		file string
		want catalog.Draft // of its fields that are not empty
	}{
		{"nothing", m{}, of{}, "01 Song.v2.flac", catalog.Draft{Title: "01 Song.v2", Artists: []string{"Unknown Artist"}, ReleaseDate: "0000"}},
		{"only an extension", m{}, of{}, ".flac", catalog.Draft{Title: ".flac"}},
		{"blanks", m{Title: " ", Album: " "}, of{"title": " T "}, "f.flac", catalog.Draft{Title: "T"}},
		{
			"tags", m{}, of{
				"title": "T", "artist": "A; B;;", "album": "L", "album_artist": "C", "publisher": "P", "copyright": "© X", "genre": "Pop;Rock",
				"disc": "2/3", "track": "7/12", "date": "2020-03-04T05:06:07Z", "isrc": "se-abc-20-00001",
			}, "f.flac", catalog.Draft{
				Title: "T", Artists: []string{"A", "B"}, Album: "L", AlbumArtists: []string{"C"}, Label: "P", Copyrights: []string{"© X"},
				Genres: []string{"Pop", "Rock"}, DiscNumber: 2, TrackNumber: 7, ReleaseDate: "2020-03-04", ISRC: "SEABC2000001",
			},
		},
		{
			"request", m{
				Title: "t", Artists: []string{"a"}, Album: "l", AlbumArtists: []string{"c"}, Label: "p", Copyrights: []string{"x"}, Genres: []string{"g"},
				DiscNumber: 1, TrackNumber: 2, ReleaseDate: "1999-01", ISRC: "SEABC2000002", Explicit: new(true), Markets: []string{"SE"},
				Credits: []catalog.Credit{{Name: "n", Role: "writer"}},
			}, of{
				"title": "T", "artist": "A", "album": "L", "album_artist": "C", "label": "P", "copyright": "X", "genre": "G",
				"disc": "9", "track": "9", "date": "2020", "isrc": "SEABC2000001",
			}, "f.flac", catalog.Draft{
				Title: "t", Artists: []string{"a"}, Album: "l", AlbumArtists: []string{"c"}, Label: "p", Copyrights: []string{"x"}, Genres: []string{"g"},
				DiscNumber: 1, TrackNumber: 2, ReleaseDate: "1999-01", ISRC: "SEABC2000002", Explicit: true, Markets: []string{"SE"},
				Credits: []catalog.Credit{{Name: "n", Role: "writer"}},
			},
		},
		{"other names of tags", m{}, of{"album_artist": "C", "discnumber": "3", "tracknumber": "4", "organization": "O", "license": "CC", "year": "1987", "tsrc": "SEABC2000003"}, "f.flac", catalog.Draft{
			Artists: []string{"C"}, AlbumArtists: []string{"C"}, DiscNumber: 3, TrackNumber: 4, Label: "O", Copyrights: []string{"CC"}, ReleaseDate: "1987", ISRC: "SEABC2000003",
		}},
		{"tags that are none", m{}, of{"track": "A1", "disc": "-1", "date": "yesterday", "year": "2001", "isrc": "n/a", "genre": strings.Repeat("g", 201) + ";Pop"}, "f.flac", catalog.Draft{
			Genres: []string{"Pop"}, ReleaseDate: "2001",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := reflect.ValueOf(describe(&ingest.Upload{Metadata: tt.said, Filename: tt.file}, file{Info: ffmpeg.Info{SampleRate: 1, Tags: tt.tags}}))
			want := reflect.ValueOf(tt.want)
			for i := range want.NumField() {
				name := want.Type().Field(i).Name
				exact := (tt.name == "tags" || tt.name == "request" || name == "ISRC" || name == "TrackNumber" || name == "DiscNumber") && name != "SourceSampleRate"
				if (exact || !want.Field(i).IsZero()) && !reflect.DeepEqual(got.Field(i).Interface(), want.Field(i).Interface()) {
					t.Errorf("%s: got %v, want %v", name, got.Field(i), want.Field(i))
				}
			}
		})
	}
}

// What the catalogue cannot hold is shortened: the file is not refused for it.
func TestDescribeCuts(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"a", "ä", "\uFDFA" /* folds to 18 characters */} {
		long := strings.Repeat(letter, 2000)
		d := describe(&ingest.Upload{Filename: "f"}, file{Info: ffmpeg.Info{SampleRate: 1, Tags: map[string]string{"title": long, "artist": long, "album": long, "genre": long}}})
		for _, s := range append(d.Artists, d.Title, d.Album) {
			if n := utf8.RuneCountInString(s); n == 0 || n > 500 || !utf8.ValidString(s) {
				t.Errorf("%d characters are left of %q", n, letter)
			}
			if n := utf8.RuneCountInString(catalog.Fold(s)); n > 1000 {
				t.Errorf("%q folds to %d characters", letter, n)
			}
		}
	}
}
