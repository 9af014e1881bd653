package catalog

import (
	"fmt"
	"slices"

	"golang.org/x/text/language"

	"github.com/segue-audio/segue/shared/once"
)

// withdrawn are codes of countries that are no more, and Kosovo's, which ISO
// leaves to its users; the region data knows them all.
var withdrawn = []string{"AN", "CS", "NT", "SU", "XK", "YU"}

// ParseMarket checks an ISO 3166-1 alpha-2 country code.
func ParseMarket(s string) (string, error) {
	if len(s) == 2 && !slices.Contains(withdrawn, s) {
		r, err := language.ParseRegion(s)
		// What ISO merely reserves has no number of its own.
		if err == nil && r.IsCountry() && r.String() == s && r.Canonicalize() == r && r.M49() != 0 {
			return s, nil
		}
	}
	return "", fmt.Errorf("%q is not a country code of ISO 3166-1 such as SE", s)
}

// Markets lists all countries: what available_markets says of a track that is
// allowed everywhere.
var Markets = once.Value(func() ([]string, error) {
	var all []string
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if m, err := ParseMarket(string(a) + string(b)); err == nil {
				all = append(all, m)
			}
		}
	}
	return all, nil
})
