package cloudrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/segue-audio/segue/functions"
)

// Every stands for every function among the names of Separate.
const Every = "all"

// Separate are the functions that run alone, each in a process of its own as a
// deployed one does: started by its first request, with FUNCTION_TARGET, taking
// as many requests at once as the manifest says, and started again by the next
// request when it has died. The others share one process.
type Separate struct {
	Names []string
	// Dir is a folder for what is armed; it is emptied.
	Dir string
	// Log is where a function's output goes.
	Log func(name string) io.Writer
}

// separate makes the instances of the functions that run alone.
func (h *Host) separate() error {
	s := h.options.Separate
	if slices.Contains(s.Names, Every) {
		s.Names = nil
		for _, f := range h.options.Manifest.Functions {
			s.Names = append(s.Names, f.Name)
		}
	}
	if len(s.Names) == 0 {
		return nil
	}
	// What was armed for the processes of an earlier run is not for these.
	if err := os.RemoveAll(s.Dir); err != nil {
		return err
	}
	h.alone = map[string]*instance{}
	for _, name := range s.Names {
		f, ok := h.options.Manifest.Function(name)
		if !ok {
			return fmt.Errorf("separate: the manifest has no function %q", name)
		}
		dir := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		h.alone[name] = newInstance(h, f, dir, s.Log(name))
	}
	return nil
}

// allAlone says whether no function is left for the common process.
func (h *Host) allAlone() bool {
	return !slices.ContainsFunc(h.options.Manifest.Functions, func(f functions.Function) bool { return h.alone[f.Name] == nil })
}

// serverOf is what a request to a function goes on to, past the front.
func (h *Host) serverOf(name string, common http.Handler) http.Handler {
	if i := h.alone[name]; i != nil {
		return i
	}
	return common
}

func (h *Host) stopAlone(ctx context.Context) error {
	stops := make(chan error, len(h.alone))
	for _, i := range h.alone {
		go func() { stops <- i.stop(ctx) }()
	}
	var all error
	for range h.alone {
		all = errors.Join(all, <-stops)
	}
	if len(h.alone) > 0 {
		all = errors.Join(all, os.RemoveAll(h.options.Separate.Dir))
	}
	return all
}
