// Package catalog is the catalogue's domain: artists, albums and tracks, how
// they are found again by name, and how they are stored. How a file becomes a
// track is shared/ingest, how it is heard shared/playback.
package catalog

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/segue-audio/segue/shared/images"
)

// Artist is a performer as the catalogue names them.
type Artist struct {
	ID   string
	Name string
}

// Album is an album or a single.
type Album struct {
	ID          string
	Name        string
	Type        string // album or single
	Artists     []Artist
	ReleaseDate Date
	Label       string
	Copyrights  []string
	Genres      []string
	TotalTracks int
	Cover       images.Image // zero: none
}

// Track is a playable track with its album.
type Track struct {
	ID          string
	Title       string
	Album       Album
	Artists     []Artist // of the main_artist credits
	DiscNumber  int64
	TrackNumber int64
	DurationMs  int64
	Explicit    bool
	ISRC        string
	Markets     []string // empty: everywhere
}

// PlayableIn says whether the track may be played in a market.
func (t Track) PlayableIn(market string) bool { return InMarket(t.Markets, market) }

// InMarket says whether a list of markets allows one; an empty list allows all.
func InMarket(markets []string, market string) bool {
	if len(markets) == 0 || market == "" {
		return true
	}
	for _, m := range markets {
		if m == market {
			return true
		}
	}
	return false
}

// RoleMainArtist is the role of those whom a track is by.
const RoleMainArtist = "main_artist"

// States of a track.
const (
	StateProcessing = "processing"
	StatePlayable   = "playable"
	StateFailed     = "failed"
)

// Fold is the form by which names are compared: compatibility-normalised,
// case-folded, spaces collapsed. Accents stay: they tell names apart.
func Fold(name string) string {
	// Of Cherokee, the library's folding swaps the cases instead of joining them.
	folded := strings.ToLower(cases.Fold().String(norm.NFKC.String(name)))
	return strings.Join(strings.Fields(norm.NFKC.String(folded)), " ")
}

// Date is a release date as precise as it is known.
type Date string

var dateLayouts = map[int]struct{ layout, precision string }{
	4: {"2006", "year"}, 7: {"2006-01", "month"}, 10: {"2006-01-02", "day"},
}

// ParseDate reads YYYY, YYYY-MM or YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	if l, ok := dateLayouts[len(s)]; ok {
		if _, err := time.Parse(l.layout, s); err == nil {
			return Date(s), nil
		}
	}
	return "", fmt.Errorf("%q is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD", s)
}

// Precision is year, month or day.
func (d Date) Precision() string { return dateLayouts[len(d)].precision }

var isrcForm = regexp.MustCompile(`^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$`)

// ParseISRC reads an ISRC (ISO 3901), with or without its hyphens.
func ParseISRC(s string) (string, error) {
	c := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), "-", ""))
	if !isrcForm.MatchString(c) {
		return "", fmt.Errorf("%q is not an ISRC", s)
	}
	return c, nil
}
