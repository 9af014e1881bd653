package probe

import (
	"path/filepath"
	"strings"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// What a track is called when nobody says.
const (
	unknownTitle   = "Untitled"
	unknownArtist  = "Unknown Artist"
	variousArtists = "Various Artists"
	unknownDate    = "0000"
)

// describe drafts the track. What the label said of it goes before the file's
// tags, and those before its name. Credits are the label's alone if it names
// any: it then means the whole of them.
func describe(u *ingest.Upload, f file) catalog.Draft {
	m, t := u.Metadata, tags(f.Tags)
	d := catalog.Draft{
		LabelID: u.LabelID, UploadID: u.ID,
		Title:        first(m.Title, t.get("title"), ingest.Cut(strings.TrimSuffix(u.Filename, filepath.Ext(u.Filename))), ingest.Cut(u.Filename)),
		Artists:      firstList(m.Artists, t.list("artist"), t.list("album_artist", "albumartist"), []string{unknownArtist}),
		Album:        first(m.Album, t.get("album")),
		AlbumArtists: firstList(m.AlbumArtists, t.list("album_artist", "albumartist")),
		Label:        first(m.Label, t.get("label", "publisher", "organization")),
		Copyrights:   firstList(m.Copyrights, append(t.list("copyright"), t.list("license")...)),
		Genres:       firstList(m.Genres, t.genres()),
		DiscNumber:   firstNumber(m.DiscNumber, t.number("disc", "discnumber")),
		TrackNumber:  firstNumber(m.TrackNumber, t.number("track", "tracknumber")),
		Credits:      m.Credits, Explicit: t.explicit(f.Container), ISRC: m.ISRC, Markets: m.Markets,
		ReleaseDate: unknownDate,
		DurationMs:  f.length().Milliseconds(), SourceSha256: f.sha256, SourceSamples: f.samples, SourceSampleRate: f.SampleRate,
	}
	if len(d.AlbumArtists) == 0 && d.Album != "" && t.compilation() {
		d.AlbumArtists = []string{variousArtists}
	}
	if len(d.Credits) == 0 {
		d.Credits = t.credits(f.Container)
	}
	for _, s := range []string{m.ReleaseDate, t.get("date"), t.get("year"), t.get("originaldate", "tdor"), t.get("originalyear", "tory")} {
		if date, ok := parseDate(s); ok {
			d.ReleaseDate = date
			break
		}
	}
	if m.Explicit != nil {
		d.Explicit = *m.Explicit
	}
	if d.ISRC == "" {
		d.ISRC = t.isrc()
	}
	return plainDraft(d)
}

func first(values ...string) string {
	for _, v := range values {
		if v = plain(v); v != "" {
			return v
		}
	}
	return ""
}

func firstList(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}

func firstNumber(numbers ...int64) int64 {
	for _, n := range numbers {
		if n > 0 {
			return n
		}
	}
	return 0
}
