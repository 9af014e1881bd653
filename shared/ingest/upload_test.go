package ingest_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// Each mistake is named; without one there is no error.
func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 501)
	for _, tt := range []struct {
		name   string
		change func(*ingest.Upload)
		words  string // "" accepts
	}{
		{"as it should be", func(*ingest.Upload) {}, ""},
		{"no bytes", func(u *ingest.Upload) { u.Size = 0 }, ""},
		{"the largest", func(u *ingest.Upload) { u.Size = 1 << 30 }, ""},
		{"too large", func(u *ingest.Upload) { u.Size = 1<<30 + 1 }, "size 1073741825 is above the limit of 1073741824 bytes (1 GiB)"},
		{"negative", func(u *ingest.Upload) { u.Size = -1 }, "size is negative"},
		{"no name", func(u *ingest.Upload) { u.Filename = "" }, "filename is empty"},
		{"only a folder", func(u *ingest.Upload) { u.Filename = "/" }, "filename is empty"},
		{"a long name", func(u *ingest.Upload) { u.Filename = long }, "filename is not text of at most 500 characters"},
		{"a name that is not UTF-8", func(u *ingest.Upload) { u.Filename = "a\xff" }, "filename is not text"},
		{"a name with a NUL", func(u *ingest.Upload) { u.Filename = "a\x00" }, "filename is not text"},
		{"a type", func(u *ingest.Upload) { u.ContentType = "video/mp4" }, `content_type "video/mp4" is none of audio/flac`},
		{"a title of the longest", func(u *ingest.Upload) { u.Metadata.Title = long[2:] }, ""},
		{"a long title", func(u *ingest.Upload) { u.Metadata.Title = long }, "metadata.title is not text of at most 500 characters"},
		{"a title that folds to more than can be stored", func(u *ingest.Upload) { u.Metadata.Title = strings.Repeat("\uFDFA", 60) }, "metadata.title is not text"},
		{"an album with a NUL", func(u *ingest.Upload) { u.Metadata.Album = "a\x00b" }, "metadata.album is not text"},
		{"an artist without a name", func(u *ingest.Upload) { u.Metadata.Artists = []string{"a", " "} }, "metadata.artists has an empty entry"},
		{"many artists", func(u *ingest.Upload) { u.Metadata.Artists = slices.Repeat([]string{"a"}, 101) }, "metadata.artists has more than 100 entries"},
		{"a long genre", func(u *ingest.Upload) { u.Metadata.Genres = []string{strings.Repeat("g", 201)} }, "metadata.genres has an entry of more than 200 characters"},
		{"a role", func(u *ingest.Upload) { u.Metadata.Credits = []catalog.Credit{{Name: "a", Role: "king"}} }, `metadata.credits: role "king" is none of performer`},
		{"a credit without a name", func(u *ingest.Upload) { u.Metadata.Credits = []catalog.Credit{{Role: "producer"}} }, "metadata.credits.name has an empty entry"},
		{"a track number", func(u *ingest.Upload) { u.Metadata.TrackNumber = 10000 }, "metadata.disc_number and track_number are between 1 and 9999"},
		{"an ISRC", func(u *ingest.Upload) { u.Metadata.ISRC = "1" }, `metadata.isrc: "1" is not an ISRC`},
		{"a date", func(u *ingest.Upload) { u.Metadata.ReleaseDate = "2021-13" }, `metadata.release_date: "2021-13" is not a date`},
		{"a market", func(u *ingest.Upload) { u.Metadata.Markets = []string{"SE", "Sweden"} }, "metadata.markets: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := ingest.Upload{Filename: "a.flac", ContentType: "audio/flac", Size: 1}
			tt.change(&u)
			switch err := u.Check(); {
			case tt.words == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.words != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.words)):
				t.Errorf("got %v, want %q", err, tt.words)
			}
		})
	}
}

func TestCheckNormalises(t *testing.T) {
	t.Parallel()
	u := ingest.Upload{Filename: `C:\Music\a.flac`, ContentType: "audio/flac", Metadata: ingest.Metadata{ISRC: "se-abc-20-00001"}}
	if err := u.Check(); err != nil || u.Filename != "a.flac" || u.Metadata.ISRC != "SEABC2000001" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 0, "abc": 3, strings.Repeat("ä", 500): 500, strings.Repeat("ä", 501): 500} {
		if got := ingest.Cut(in); utf8.RuneCountInString(got) != want || !strings.HasPrefix(in, got) {
			t.Errorf("%d characters are left of %d", utf8.RuneCountInString(got), utf8.RuneCountInString(in))
		}
	}
}
