package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// All that can be said of one file arrives.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.files(t, "a.flac")
	code, out, errs := s.run(t.Context(), "upload", s.dir+"/a.flac", "--title", "T", "--isrc", "SE-ABC-20-00001", "--track-number", "7", "--disc-number", "2",
		"--artist", "A", "--album-artist", "B", "--album-artist", "C", "--album", "L", "--credit", "composer=Ann", "--credit", " featured_artist = Bo = Co ",
		"--label", "R", "--genre", "Pop", "--genre", "Folk, Swedish", "--release-date", "2016-04-23", "--copyright", "© R", "--market", "SE", "--explicit")
	if code != 0 {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	want := ingest.Metadata{
		Title: "T", ISRC: "SE-ABC-20-00001", TrackNumber: 7, DiscNumber: 2, Artists: []string{"A"}, AlbumArtists: []string{"B", "C"}, Album: "L",
		Credits: []catalog.Credit{{Role: "composer", Name: "Ann"}, {Role: "featured_artist", Name: "Bo = Co"}},
		Label:   "R", Genres: []string{"Pop", "Folk, Swedish"}, ReleaseDate: "2016-04-23", Copyrights: []string{"© R"}, Markets: []string{"SE"}, Explicit: new(true),
	}
	all := s.Uploads()
	if len(all) != 1 || !reflect.DeepEqual(all[0].Metadata, want) {
		t.Errorf("%+v", all)
	}
}

func TestMetadataOfSeveral(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.files(t, "a.flac", "b.flac")
	code, out, errs := s.run(t.Context(), "upload", s.dir, "--disc-number", "2", "--credit", "producer=P")
	want := ingest.Metadata{DiscNumber: 2, Credits: []catalog.Credit{{Role: "producer", Name: "P"}}}
	all := s.Uploads()
	if code != 0 || len(all) != 2 || !reflect.DeepEqual(all[1].Metadata, want) {
		t.Errorf("%d: %s%s%+v", code, out, errs, all)
	}
}

func TestMetadataRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an ISRC for two":          {[]string{"--isrc", "SEABC2000001", "DIR/b.flac"}, "--isrc is for one file, and there are 2"},
		"a track number for two":   {[]string{"--track-number", "1", "DIR/b.flac"}, "--track-number is for one file, and there are 2"},
		"all for two":              {[]string{"--track-number", "1", "--title", "T", "--isrc", "x", "DIR/b.flac"}, "--isrc, --title, --track-number are for one file, and there are 2"},
		"no ISRC":                  {[]string{"--isrc", "SE1"}, `a.flac: metadata.isrc: "SE1" is not an ISRC`},
		"track 0":                  {[]string{"--track-number", "0"}, `invalid argument "0" for "--track-number" flag: not a number from 1 to 9999; see segue upload --help`},
		"disc of words":            {[]string{"--disc-number", "one"}, `"--disc-number" flag: not a number from 1 to 9999`},
		"disc of too many":         {[]string{"--disc-number", "10000"}, `"--disc-number" flag: not a number from 1 to 9999`},
		"a credit without a role":  {[]string{"--credit", "Ann"}, `invalid argument "Ann" for "--credit" flag: not of the form role=name`},
		"an unknown role":          {[]string{"--credit", "singer=Ann"}, `role "singer" is none of performer, featured_artist, composer,`},
		"main artists are artists": {[]string{"--credit", "main_artist=Ann"}, `role "main_artist" is none of`},
		"a credit for nobody":      {[]string{"--credit", "writer= "}, "nobody is named"},
		"an empty genre":           {[]string{"--genre", ""}, "a.flac: metadata.genres has an empty entry"},
		"an empty album artist":    {[]string{"--album-artist", " "}, "a.flac: metadata.album_artists has an empty entry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.files(t, "a.flac", "b.flac")
			args := []string{"upload", s.dir + "/a.flac"}
			for _, a := range c.args {
				args = append(args, strings.Replace(a, "DIR", s.dir, 1))
			}
			code, out, err := s.run(t.Context(), args...)
			if code != 2 || out != "" || !strings.Contains(err, c.want) || s.Count("") > 0 {
				t.Errorf("code %d, %q, want %q", code, out+err, c.want)
			}
		})
	}
}

func TestCompleteCredit(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for word, want := range map[string]string{
		"":           "performer=\nfeatured_artist=\ncomposer=\nlyricist=\nwriter=\narranger=\nproducer=\nengineer=\nmixer=\nremixer=\n:6\n",
		"p":          "performer=\nproducer=\n:6\n",
		"composer=A": ":4\n",
	} {
		if _, out, _ := s.run(t.Context(), "__complete", "upload", "--credit", word); out != want {
			t.Errorf("%q: %q", word, out)
		}
	}
}
