package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/maruel/natural"
)

// contentTypes by a file's extension: the containers that Segue takes.
var contentTypes = map[string]string{
	".flac": "audio/flac", ".wav": "audio/wav", ".wave": "audio/wav", ".mp3": "audio/mpeg",
	".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/opus", ".m4a": "audio/mp4",
}

func contentType(path string) (string, bool) {
	t, ok := contentTypes[strings.ToLower(filepath.Ext(path))]
	return t, ok
}

func extensions() []string {
	all := slices.Sorted(maps.Keys(contentTypes))
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], ".")
	}
	return all
}

// file is one that is to be uploaded.
type file struct {
	path string
	size int64
}

// find lists the files that are named, and the audio in folders, each once: in
// the order given, within a folder as a person counts.
func find(args []string) ([]file, error) {
	var all []file
	seen := map[string]bool{}
	for _, arg := range args {
		found, err := findIn(arg)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			if seen[absolute] {
				continue
			}
			seen[absolute] = true
			stat, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			all = append(all, file{path: path, size: stat.Size()})
		}
	}
	return all, nil
}

func findIn(arg string) ([]string, error) {
	stat, err := os.Stat(arg)
	switch {
	case err != nil:
		return nil, err
	case stat.IsDir():
		return findBelow(arg)
	case !stat.Mode().IsRegular():
		return nil, fmt.Errorf("%s is neither a file nor a folder", arg)
	}
	if _, ok := contentType(arg); !ok {
		return nil, fmt.Errorf("%s is not audio by its name: it ends in none of %s", arg, strings.Join(extensions(), ", "))
	}
	return []string{arg}, nil
}

// findBelow leaves out what is hidden and what is not audio. It follows links
// to files, not those to folders, which may lead in circles.
func findBelow(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(e.Name(), ".") && path != dir; hidden {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if _, audio := contentType(path); !audio || e.IsDir() {
			return nil
		}
		stat, err := os.Stat(path)
		if err != nil {
			return err
		}
		if stat.Mode().IsRegular() {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no audio in %s: nothing ends in %s", dir, strings.Join(extensions(), ", "))
	}
	slices.SortFunc(found, natural.Compare)
	return found, nil
}
