package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
)

// metadataFlags are what can be said of the tracks that are uploaded.
func metadataFlags(cmd *cobra.Command, m *ingest.Metadata) {
	flags := cmd.Flags()
	flags.StringVar(&m.Title, "title", "", "title, of one file only")
	flags.StringVar(&m.ISRC, "isrc", "", "ISRC, of one file only")
	flags.Var((*number)(&m.TrackNumber), "track-number", "number on its disc, of one file only")
	flags.Var((*number)(&m.DiscNumber), "disc-number", "number of the disc")
	flags.StringArrayVar(&m.Artists, "artist", nil, "main artist; can be repeated")
	flags.StringVar(&m.Album, "album", "", "album")
	flags.StringArrayVar(&m.AlbumArtists, "album-artist", nil, "artist of the album; can be repeated (default: the track's)")
	flags.Var((*credits)(&m.Credits), "credit", "role=name, such as composer=Ann; can be repeated, and goes before all credits of the tags")
	flags.StringVar(&m.Label, "label", "", "name of the record label")
	flags.StringArrayVar(&m.Genres, "genre", nil, "genre; can be repeated")
	flags.StringVar(&m.ReleaseDate, "release-date", "", "2016, 2016-04 or 2016-04-23")
	flags.StringArrayVar(&m.Copyrights, "copyright", nil, "copyright or licence; can be repeated")
	flags.StringArrayVar(&m.Markets, "market", nil, "country that may play it, such as SE; can be repeated (default: all)")
	flags.Var(maybe{&m.Explicit}, "explicit", "explicit lyrics, or none: --explicit=false")
	flags.Lookup("explicit").NoOptDefVal = "true"
	// The flag is there, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("credit", completeCredit)
}

func completeCredit(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(word, "=") {
		return nil, cobra.ShellCompDirectiveNoFileComp // nobody knows the name
	}
	var all []string
	for _, role := range ingest.CreditRoles() {
		if strings.HasPrefix(role, word) {
			all = append(all, role+"=")
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// ofOneFile names the flags that are given, but cannot be true of several files.
func ofOneFile(m ingest.Metadata) []string {
	var given []string
	for flag, said := range map[string]bool{"--title": m.Title != "", "--isrc": m.ISRC != "", "--track-number": m.TrackNumber != 0} {
		if said {
			given = append(given, flag)
		}
	}
	slices.Sort(given)
	return given
}

// maybe is a flag that was not given, or is true or false.
type maybe struct{ is **bool }

func (m maybe) String() string {
	if m.is == nil || *m.is == nil {
		return ""
	}
	return strconv.FormatBool(**m.is)
}

// Set reads true, false and the like.
func (m maybe) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("it is true or false")
	}
	*m.is = &b
	return nil
}

// Type is what the help calls it.
func (maybe) Type() string { return "bool" }

// number is a track's or a disc's.
type number int64

func (n *number) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}

func (*number) Type() string { return "number" }

func (n *number) Set(s string) error {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 || v > 9999 {
		return errors.New("not a number from 1 to 9999")
	}
	*n = number(v)
	return nil
}

// credits are given as role=name.
type credits []catalog.Credit

func (c *credits) String() string { return "" }

func (*credits) Type() string { return "role=name" }

func (c *credits) Set(s string) error {
	role, name, ok := strings.Cut(s, "=")
	role, name = strings.TrimSpace(role), strings.TrimSpace(name)
	switch {
	case !ok:
		return errors.New("not of the form role=name")
	case !slices.Contains(ingest.CreditRoles(), role):
		return fmt.Errorf("role %q is none of %s", role, strings.Join(ingest.CreditRoles(), ", "))
	case name == "":
		return errors.New("nobody is named")
	}
	*c = append(*c, catalog.Credit{Role: role, Name: name})
	return nil
}
