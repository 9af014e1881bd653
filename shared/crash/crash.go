// Package crash lets a test end a process between two steps of a write, as a
// platform may at any time: what a write path promises for such a death can
// then be shown. Without its variables, a point does nothing.
package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// The environment names a point at which the process always ends, and a folder
// in which files named as points arm these, once each: whoever ends a process
// there removes the file, so that the next one passes. Armed while it runs, a
// process ends at the next pass.
const (
	Variable = "SEGUE_CRASH_AT"
	Folder   = "SEGUE_CRASH_DIR"
)

// Status is what the process ends with: as if by SIGKILL.
const Status = 137

// names are of the form write-path:step-that-is-done.
var names = regexp.MustCompile(`^[a-z]+(-[a-z]+)*:[a-z]+(-[a-z]+)*$`)

// Point ends the process at once, without any clean-up, if it is the named one
// or an armed one.
func Point(name string) {
	if os.Getenv(Variable) == name || disarm(name) {
		fmt.Fprintln(os.Stderr, "crash at", name)
		os.Exit(Status)
	}
}

// disarm says whether the point was armed: of several that pass it at once, one
// removes the file.
func disarm(name string) bool {
	dir := os.Getenv(Folder)
	return dir != "" && os.Remove(filepath.Join(dir, name)) == nil
}

// Arm ends the process that has dir as its Folder at its next pass of a point.
func Arm(dir, name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("%q is no crash point: one has the form outbox:committed", name)
	}
	return os.WriteFile(filepath.Join(dir, name), nil, 0o600)
}

// Armed lists the points that are armed in dir.
func Armed(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(files))
	for i, f := range files {
		all[i] = f.Name()
	}
	return all, nil
}
