package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// Sessions is a folder of transfers that are not settled: a file each, named
// after what is sent where. A nil Sessions remembers nothing.
type Sessions struct{ Dir string }

// memory is what is kept of a transfer. Whoever can read its URL can send in
// our place, so only the user may.
type memory struct {
	File         string       `json:"file"`
	URL          string       `json:"url"`
	Modified     time.Time    `json:"modified"`
	Announcement Announcement `json:"announcement"`
	Target       Target       `json:"target"`
	Sent         bool         `json:"sent"`
}

func (t *Transfer) memory(target Target) *memory {
	file, err := filepath.Abs(t.File)
	if err != nil { // the working folder is gone: the name must do
		file = t.File
	}
	return &memory{File: file, URL: t.Client.BaseURL, Modified: t.stat.ModTime(), Announcement: t.Announcement, Target: target}
}

// path is by file and service, so that a file which changed takes the place of
// what it was.
func (s *Sessions) path(m *memory) string {
	sum := sha256.Sum256([]byte(m.File + "\x00" + m.URL))
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:16])+".json")
}

// load finds what is remembered of the same file with the same size, time and
// announcement; nil if nothing is. What cannot be read as JSON is no memory.
func (s *Sessions) load(like *memory) (*memory, error) {
	if s == nil {
		return nil, nil
	}
	b, err := os.ReadFile(s.path(like))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered uploads: %w", err)
	}
	var m memory
	if json.Unmarshal(b, &m) != nil || m.Target.ID == "" {
		return nil, nil
	}
	// As JSON, in which no list and an empty one are the same.
	now, err := json.Marshal(like.Announcement)
	if err != nil {
		return nil, err
	}
	then, err := json.Marshal(m.Announcement)
	if err != nil {
		return nil, err
	}
	if m.File != like.File || m.URL != like.URL || !m.Modified.Equal(like.Modified) || !bytes.Equal(now, then) {
		return nil, nil
	}
	return &m, nil
}

// save replaces the memory at once: whenever the process dies, the old one or
// the new one is whole.
func (s *Sessions) save(m *memory) error {
	if s == nil {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("remember the upload: %w", err)
	}
	if err := renameio.WriteFile(s.path(m), b, 0o600); err != nil {
		return fmt.Errorf("remember the upload: %w", err)
	}
	return nil
}

func (s *Sessions) forget(m *memory) error {
	if s == nil {
		return nil
	}
	if err := os.Remove(s.path(m)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the upload: %w", err)
	}
	return nil
}

// Names says whether a remembered transfer names a cover.
func (s *Sessions) Names(cover string) (bool, error) {
	if s == nil {
		return false, nil
	}
	files, err := filepath.Glob(filepath.Join(s.Dir, "*.json"))
	if err != nil {
		return false, fmt.Errorf("remembered uploads: %w", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has settled it
		}
		if err != nil {
			return false, fmt.Errorf("remembered uploads: %w", err)
		}
		var m memory
		if json.Unmarshal(b, &m) == nil && m.Announcement.Metadata.Cover == cover {
			return true, nil
		}
	}
	return false, nil
}
