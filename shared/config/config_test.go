package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"
)

type Store struct {
	Database string `env:"DATABASE, required"`
}

type sample struct {
	Store
	Limit int `env:"LIMIT, default=5"`
}

func (s *sample) Validate() error {
	if s.Limit > 10 {
		return errors.New("LIMIT is above 10")
	}
	return nil
}

func TestFrom(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"complete", map[string]string{"DATABASE": "d"}, ""},
		{"missing", map[string]string{}, "Database"},
		{"of the wrong type", map[string]string{"DATABASE": "d", "LIMIT": "x"}, "Limit"},
		{"not valid", map[string]string{"DATABASE": "d", "LIMIT": "11"}, "LIMIT is above 10"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := From[sample](t.Context(), envconfig.MapLookuper(test.env))
			if test.want == "" {
				if err != nil || c.Database != "d" || c.Limit != 5 {
					t.Errorf("config = %+v, %v", c, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to name %s", err, test.want)
			}
		})
	}
}

func TestNamesGoesIntoEmbeddedStructs(t *testing.T) {
	if got, want := Names[sample](), []string{"DATABASE", "LIMIT"}; !slices.Equal(got, want) {
		t.Errorf("Names = %v, want %v", got, want)
	}
}
