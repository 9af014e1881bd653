package playback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// loadOrCreate returns the file's content, which it makes when there is none.
// The file appears whole or not at all, readable by its owner alone.
func loadOrCreate(path string, create func() ([]byte, error)) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return text, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err = create()
	if err != nil {
		return nil, err
	}
	if err := publish(path, text); err != nil {
		return nil, err
	}
	// Another process may have been first; then its file is the one.
	return os.ReadFile(path)
}

// publish makes a file of that name unless there is one. Linking is the rename
// that refuses to replace.
func publish(path string, text []byte) error {
	temp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	err = os.Link(temp, path)
	if rerr := os.Remove(temp); rerr != nil {
		err = errors.Join(err, rerr)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp leaves a file beside path whose bytes are on the disk; os.CreateTemp
// makes it with mode 0600.
func writeTemp(path string, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes the name itself survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
