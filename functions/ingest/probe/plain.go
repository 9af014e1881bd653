package probe

import (
	"strings"
	"unicode"

	"github.com/segue-audio/segue/shared/catalog"
)

// plain is a name as it is stored, wherever it comes from: one line, and without
// the characters that turn the direction of what stands around it (U+202A to
// U+202E, U+2066 to U+2069), since names are shown within other text. Arabic and
// Hebrew need none of them. The marks U+200E and U+200F and the joiners of emoji
// stay, and so does all that looks like a path or markup: names are never used
// as either.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, s))
}

// plainDraft makes all of a draft's names plain, and drops those that nothing is
// left of.
func plainDraft(d catalog.Draft) catalog.Draft {
	d.Title, d.Album, d.Label = plain(d.Title), plain(d.Album), plain(d.Label)
	for _, list := range []*[]string{&d.Artists, &d.AlbumArtists, &d.Copyrights, &d.Genres} {
		var all []string
		for _, s := range *list {
			if s = plain(s); s != "" {
				all = append(all, s)
			}
		}
		*list = all
	}
	var credits []catalog.Credit
	for _, c := range d.Credits {
		if c.Name = plain(c.Name); c.Name != "" {
			credits = append(credits, c)
		}
	}
	d.Credits = credits
	if d.Title == "" {
		d.Title = unknownTitle
	}
	if len(d.Artists) == 0 {
		d.Artists = []string{unknownArtist}
	}
	return d
}
