// Package config reads a function's configuration: one struct with env tags,
// filled from the environment and validated. Which variables a function reads
// is what the manifest lists; a drift test compares the two.
package config

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// Load fills a T from the environment; where T has Validate, it is asked.
func Load[T any](ctx context.Context) (T, error) {
	return From[T](ctx, envconfig.OsLookuper())
}

// From is Load with the variables of a map or any other source.
func From[T any](ctx context.Context, l envconfig.Lookuper) (T, error) {
	var c T
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &c, Lookuper: l}); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if v, ok := any(&c).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
	}
	return c, nil
}

// Names lists the variables that T reads, in alphabetical order.
func Names[T any]() []string {
	names := collect(reflect.TypeFor[T]())
	slices.Sort(names)
	return slices.Compact(names)
}

func collect(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, ok := f.Tag.Lookup("env"); ok {
			if name, _, _ := strings.Cut(tag, ","); name != "" {
				names = append(names, name)
			}
		} else if f.Type.Kind() == reflect.Struct {
			names = append(names, collect(f.Type)...)
		}
	}
	return names
}
