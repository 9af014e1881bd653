package probe

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// tags are a file's tags by their lower-case keys, as ffprobe names them: many
// by one name whatever the container, the others by the container's own.
type tags map[string]string

func (t tags) get(keys ...string) string { return ingest.Cut(t.raw(keys...)) }

func (t tags) raw(keys ...string) string {
	for _, k := range keys {
		if v := plain(t[k]); v != "" {
			return v
		}
	}
	return ""
}

// maxValues of a tag are taken.
const maxValues = 100

// list reads a tag that may hold several values, joined as ffprobe joins them.
// "/", "&" and "," are parts of names: AC/DC.
func (t tags) list(keys ...string) []string {
	var all []string
	for part := range strings.SplitSeq(t.raw(keys...), ";") {
		if part = ingest.Cut(strings.TrimSpace(part)); part != "" && !slices.Contains(all, part) && len(all) < maxValues {
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

// isrc is the first that is one: another is not worth refusing the file for.
func (t tags) isrc() string {
	for _, s := range append(t.list("isrc"), t.list("tsrc")...) {
		if isrc, err := catalog.ParseISRC(s); err == nil {
			return isrc
		}
	}
	return ""
}

// compilation is TCMP of ID3, cpil of MP4.
func (t tags) compilation() bool {
	return slices.Contains([]string{"1", "true", "yes"}, strings.ToLower(t.get("compilation", "tcmp")))
}

// explicit reads iTunes' advisory: 1 (formerly 4) is explicit, 2 clean. In MP4 it
// is what ffprobe calls rating; elsewhere a rating counts stars.
func (t tags) explicit(container string) bool {
	advisory := t.get("itunesadvisory")
	if advisory == "" && isMP4(container) {
		advisory = t.get("rating")
	}
	return advisory == "1" || advisory == "4"
}

func isMP4(container string) bool { return strings.Contains(container, "mp4") }

// creditTags are the tags of each role. The people of ID3's lists (TIPL, IPLS,
// TMCL) are under the same names.
var creditTags = []struct {
	role string
	keys []string
}{
	{"performer", []string{"performer", "performers"}},
	{"composer", []string{"composer", "tcom"}},
	{"lyricist", []string{"lyricist"}},
	{"writer", []string{"writer", "songwriter"}},
	{"arranger", []string{"arranger"}},
	{"producer", []string{"producer"}},
	{"engineer", []string{"engineer"}},
	{"mixer", []string{"mixer"}},
	{"remixer", []string{"remixer", "mixartist", "tpe4"}},
}

func (t tags) credits(container string) []catalog.Credit {
	var all []catalog.Credit
	for _, c := range creditTags {
		keys := c.keys
		if container == "mp3" {
			switch c.role {
			case "performer": // so ffprobe calls ID3's TPE3, which is the conductor
				keys = []string{"performers"}
			case "lyricist": // ID3's name; elsewhere it may be anything
				keys = append(slices.Clip(keys), "text")
			}
		}
		for _, name := range t.list(keys...) {
			if len(all) < maxValues {
				all = append(all, catalog.Credit{Name: name, Role: c.role})
			}
		}
	}
	return all
}

// parseDate reads a date at the begin of a tag, which often holds a whole
// timestamp, or 00 for a month or day that is not known.
func parseDate(s string) (catalog.Date, bool) {
	if len(s) == len("20060102") {
		if d, err := time.Parse("20060102", s); err == nil {
			s = d.Format(time.DateOnly)
		}
	}
	for _, n := range []int{len("2006-01-02"), len("2006-01"), len("2006")} {
		if len(s) < n || len(s) > n && s[n] >= '0' && s[n] <= '9' {
			continue
		}
		// Some write 0000 for a year that they do not know.
		if date, err := catalog.ParseDate(s[:n]); err == nil && date[:4] != unknownDate {
			return date, true
		}
	}
	return "", false
}
