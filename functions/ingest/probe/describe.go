package probe

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// What a track is called when nobody says.
const (
	unknownArtist = "Unknown Artist"
	unknownDate   = "0000"
)

// describe drafts the track. What the label said of it goes before the file's
// tags, and those before its name.
func describe(u *ingest.Upload, f file) catalog.Draft {
	m, t := u.Metadata, tags(f.Tags)
	d := catalog.Draft{
		LabelID: u.LabelID, UploadID: u.ID,
		Title:        first(m.Title, t.get("title"), ingest.Cut(strings.TrimSuffix(u.Filename, filepath.Ext(u.Filename))), ingest.Cut(u.Filename)),
		Artists:      firstList(m.Artists, t.list("artist"), t.list("album_artist"), []string{unknownArtist}),
		Album:        first(m.Album, t.get("album")),
		AlbumArtists: firstList(m.AlbumArtists, t.list("album_artist", "albumartist")),
		Label:        first(m.Label, t.get("label", "publisher", "organization")),
		Copyrights:   firstList(m.Copyrights, t.list("copyright", "license")),
		Genres:       firstList(m.Genres, t.genres()),
		DiscNumber:   firstNumber(m.DiscNumber, t.number("disc", "discnumber")),
		TrackNumber:  firstNumber(m.TrackNumber, t.number("track", "tracknumber")),
		Credits:      m.Credits, Explicit: m.Explicit, ISRC: m.ISRC, Markets: m.Markets,
		ReleaseDate: unknownDate,
		DurationMs:  f.length().Milliseconds(), SourceSha256: f.sha256, SourceSamples: f.samples, SourceSampleRate: f.SampleRate,
	}
	for _, s := range []string{m.ReleaseDate, t.get("date"), t.get("year")} {
		// Tags often hold a whole timestamp.
		if date, err := catalog.ParseDate(s[:min(len(s), len("2006-01-02"))]); err == nil {
			d.ReleaseDate = date
			break
		}
	}
	if d.ISRC == "" {
		// A tag that is no ISRC is not worth refusing the file for.
		d.ISRC, _ = catalog.ParseISRC(t.get("isrc", "tsrc"))
	}
	return d
}

// tags are a file's tags by their lower-case keys.
type tags map[string]string

func (t tags) get(keys ...string) string {
	for _, k := range keys {
		if v := t[k]; v != "" {
			return ingest.Cut(v)
		}
	}
	return ""
}

// list reads a tag that may hold several values, joined as ffprobe joins them.
func (t tags) list(keys ...string) []string {
	var all []string
	for part := range strings.SplitSeq(t.get(keys...), ";") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// genres leaves out what is too long to be the name of one.
func (t tags) genres() []string {
	return slices.DeleteFunc(t.list("genre"), func(s string) bool { return utf8.RuneCountInString(s) > ingest.MaxGenre })
}

// number reads 3 and 3/12.
func (t tags) number(keys ...string) int64 {
	s, _, _ := strings.Cut(t.get(keys...), "/")
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > 9999 {
		return 0
	}
	return n
}

func first(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
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
