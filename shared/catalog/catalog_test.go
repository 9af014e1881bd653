package catalog

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"Beyoncé", "BEYONCÉ", "beyoncé", "Beyonce\u0301", " Beyoncé\t"},
		{"AC DC", "ac  dc", "\u00a0AC\u00a0DC", "ＡＣ　ＤＣ", "AC\nDC"},
		{"Straße", "STRASSE", "strasse"},
		{"ﬁsh", "FISH"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"ᏣᎳᎩ", "ꮳꮃꭹ"},
	} {
		for _, s := range same[1:] {
			if Fold(s) != Fold(same[0]) {
				t.Errorf("%q folds to %q, but %q to %q", s, Fold(s), same[0], Fold(same[0]))
			}
		}
	}
	for a, b := range map[string]string{"Beyoncé": "Beyonce", "AC/DC": "AC DC", "ACDC": "AC DC", "Ärzte": "Arzte", "!!!": "", "Ж": "ж́"} {
		if Fold(a) == Fold(b) {
			t.Errorf("%q and %q are one name", a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		if once := Fold(s); Fold(once) != once || Fold(" "+s+" ") != once || strings.Contains(once, "  ") {
			t.Fatalf("%q folds to %q, and that to %q", s, once, Fold(once))
		}
	})
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	for s, precision := range map[string]string{
		"1969": "year", "0000": "year", "1969-09": "month", "1969-09-26": "day", "2024-02-29": "day",
		"": "", "69": "", "1969-13": "", "1969-9": "", "1969-09-31": "", "2023-02-29": "", "1969/09/26": "", "1969-09-26T00:00:00Z": "",
		"yyyy": "", "+196": "", "-196": "", "1969-00": "", "１９６９": "",
	} {
		d, err := ParseDate(s)
		if precision == "" {
			if want := "is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD"; err == nil || !strings.Contains(err.Error(), want) || d != "" {
				t.Errorf("ParseDate(%q) = %q, %v", s, d, err)
			}
			continue
		}
		if err != nil || string(d) != s || d.Precision() != precision {
			t.Errorf("ParseDate(%q) = %q (%s), %v", s, d, d.Precision(), err)
		}
	}
}

func TestParseISRC(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"USRC17607839": "USRC17607839", "US-RC1-76-07839": "USRC17607839", " usrc17607839 ": "USRC17607839", "GB-A1B-99-00001": "GBA1B9900001",
		"": "", "USRC1760783": "", "USRC176078390": "", "1SRC17607839": "", "USRC1760783A": "", "US RC1 76 07839": "", "USRC1７607839": "",
	} {
		got, err := ParseISRC(s)
		if got != want || (err == nil) != (want != "") || (err != nil && !strings.HasSuffix(err.Error(), "is not an ISRC")) {
			t.Errorf("ParseISRC(%q) = %q, %v", s, got, err)
		}
	}
}

func TestMarkets(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"SE", "DE", "US", "GB", "AQ", "TW", "SS", "CW", "BQ", "SX", "AX", "PS", "VA", "EH", "UM"} {
		if got, err := ParseMarket(s); got != s || err != nil {
			t.Errorf("ParseMarket(%s) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "S", "se", "Se", "SWE", "752", "UK", "EU", "EL", "ZZ", "XX", "XK", "QO", "AC", "TA", "IC", "EA", "DG", "CP",
		"AN", "CS", "SU", "YU", "NT", "DD", "TP", "ZR", "FX", "BU", "from_token", "É", "\xff\xff", "S ",
	} {
		if got, err := ParseMarket(s); got != "" || err == nil || !strings.Contains(err.Error(), "is not a country code of ISO 3166-1") {
			t.Errorf("ParseMarket(%q) = %q, %v", s, got, err)
		}
	}
	all, err := Markets()
	if err != nil || len(all) != 249 || all[0] != "AD" || all[248] != "ZW" {
		t.Errorf("there are %d markets: %v", len(all), err)
	}
}

func TestInMarket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		markets []string
		market  string
		want    bool
	}{
		{nil, "SE", true}, {[]string{}, "", true}, {[]string{"DE", "SE"}, "SE", true}, {[]string{"DE"}, "SE", false}, {[]string{"DE"}, "", true},
	} {
		if got := InMarket(c.markets, c.market); got != c.want {
			t.Errorf("InMarket(%v, %q) = %v", c.markets, c.market, got)
		}
	}
}
