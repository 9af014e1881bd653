package main

import (
	"errors"
	"os"
	"slices"

	"github.com/segue-audio/segue/functions"
)

// catalogue is all that there is to measure. A topic adds a file with its rows,
// and a line here.
func catalogue(a *app) ([]row, func() error, error) {
	manifest, err := functions.Load()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "segue-bench-*")
	if err != nil {
		return nil, nil, err
	}
	w := &world{dir: dir, manifest: manifest, getenv: a.getenv, progress: a.err}
	closing := func() error { return errors.Join(w.close(), os.RemoveAll(dir)) }
	return slices.Concat(
		overheadRows(w),
		paceRows(w),
		memoryRows(w),
		longRows(w),
		playbackRows(w),
		pressRows(w),
		effectRows(w),
		startRows(w),
		loadRows(w, minute),
	), closing, nil
}
