package gcs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folders are the places under Options.Dir.
type folders struct {
	root, objects, spool, sessions, configs string
}

func openFolders(dir string) (folders, error) {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "segue-gcs-"); err != nil {
			return folders{}, fmt.Errorf("temporary folder: %w", err)
		}
	}
	f := folders{
		root:     dir,
		objects:  filepath.Join(dir, "objects"),
		spool:    filepath.Join(dir, "spool"),
		sessions: filepath.Join(dir, "sessions"),
		configs:  filepath.Join(dir, "notifications.json"),
	}
	// What is still in the spool belongs to uploads of a run that was killed;
	// resumable ones have a folder of their own, which stays.
	if err := os.RemoveAll(f.spool); err != nil {
		return folders{}, fmt.Errorf("empty the spool: %w", err)
	}
	for _, d := range []string{f.objects, f.spool, f.sessions} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return folders{}, fmt.Errorf("create %s: %w", d, err)
		}
	}
	return f, nil
}

// mend removes files that a killed run left without attributes: one of them
// would make the fake refuse to list its whole bucket. No such file was ever
// acknowledged.
func (e *Emulator) mend() error {
	buckets, err := os.ReadDir(e.files.objects)
	if err != nil {
		return fmt.Errorf("read buckets: %w", err)
	}
	for _, b := range buckets {
		if !b.IsDir() {
			continue
		}
		if err := e.mendBucket(b.Name()); err != nil {
			return fmt.Errorf("mend bucket %s: %w", b.Name(), err)
		}
	}
	return nil
}

func (e *Emulator) mendBucket(bucket string) error {
	root := filepath.Join(e.files.objects, bucket)
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if _, ok := e.lookup(bucket, name); ok {
			return nil
		}
		// Where the file system has no extended attributes, the fake keeps
		// them in a file beside the object.
		if object, is := strings.CutSuffix(name, ".metadata"); is {
			if _, ok := e.lookup(bucket, object); ok {
				return nil
			}
		}
		e.log.Printf("removed %s/%s: an upload that never finished", bucket, name)
		return os.Remove(path)
	})
}
