package playback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// SaveKeyset puts an encrypted keyset in the place of a file's, whole or not at
// all, and keeps the former one beside it, whose name it returns (none: there was
// no file). was is what the change began with: if the file is another by now,
// somebody else changed it, and nothing is written. A keyset that lacks a key of
// the file's is refused, but for the one that is destroyed (0: none).
//
// Die between keeping the former and the new file's rename, and the file is the
// old one, kept twice.
func SaveKeyset(path, was, text string, destroyed uint32, now time.Time) (former string, err error) {
	unlock, err := lockBeside(path)
	if err != nil {
		return "", err
	}
	defer unlock()
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", publish(path, []byte(text))
	case err != nil:
		return "", err
	case was != "" && !bytes.Equal(old, []byte(was)):
		return "", fmt.Errorf("%s was changed meanwhile: look at it and begin this step again", path)
	}
	if err := keepsKeys(path, old, []byte(text), destroyed); err != nil {
		return "", err
	}
	if former, err = keepFormer(path, old, now); err != nil {
		return "", err
	}
	return former, replace(path, []byte(text))
}

// ReplaceFile puts a whole file in the place of another, if there is one. It is
// readable by its owner alone.
func ReplaceFile(path string, text []byte) error {
	unlock, err := lockBeside(path)
	if err != nil {
		return err
	}
	defer unlock()
	return replace(path, text)
}

// CreateFile writes a whole file that must not exist yet (fs.ErrExist). It is
// readable by its owner alone.
func CreateFile(path string, text []byte) error {
	temp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Link(temp, path), os.Remove(temp)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func replace(path string, text []byte) error {
	temp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// keepFormer writes the file's content beside it, under a name that nothing
// replaces. It is no second name of the same file: whoever writes into that, as
// cp does, would change the former too.
func keepFormer(path string, old []byte, now time.Time) (former string, err error) {
	temp, err := writeTemp(path, old)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.Remove(temp)) }()
	base := path + ".before-" + now.UTC().Format("20060102T150405Z")
	for n := 0; ; n++ {
		former := base
		if n > 0 {
			former = fmt.Sprintf("%s-%d", base, n)
		}
		err := os.Link(temp, former)
		if err == nil {
			return former, syncDir(filepath.Dir(path))
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("keep the former %s: %w", path, err)
		}
		// A step that died after this, in the same second.
		if kept, err := os.ReadFile(former); err == nil && bytes.Equal(kept, old) {
			return former, nil
		}
	}
}

// keepsKeys compares by what an encrypted keyset says of itself in the clear.
func keepsKeys(path string, old, text []byte, destroyed uint32) error {
	before, err := clearIDs(old)
	if err != nil {
		return fmt.Errorf("%s is not overwritten, since it is no keyset: %w", path, err)
	}
	after, err := clearIDs(text)
	if err != nil {
		return err
	}
	for _, id := range before {
		if id != destroyed && !slices.Contains(after, id) {
			return fmt.Errorf("%s has key %d, which the new keyset lacks: what is wrapped with it would be lost", path, id)
		}
	}
	return nil
}

func clearIDs(text []byte) ([]uint32, error) {
	text, err := keysetJSON(string(text))
	if err != nil {
		return nil, err
	}
	var encrypted struct {
		Info struct {
			Keys []struct {
				ID uint32 `json:"keyId"`
			} `json:"keyInfo"`
		} `json:"keysetInfo"`
	}
	if err := json.Unmarshal(text, &encrypted); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	if len(encrypted.Info.Keys) == 0 {
		return nil, errors.New("keyset: it names no keys")
	}
	var ids []uint32
	for _, k := range encrypted.Info.Keys {
		ids = append(ids, k.ID)
	}
	return ids, nil
}

// lockBeside keeps two changes at once apart; the kernel releases it with the
// process. The lock is a file of its own, since the one it is for is replaced.
func lockBeside(path string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
