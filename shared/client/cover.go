package client

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
)

// Pictures that lie beside an album's files, by their names: what people and
// programs call an album's cover, the first of them first.
var (
	coverNames = []string{"cover", "folder", "front"}
	coverTypes = []struct{ extension, contentType string }{
		{".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".png", "image/png"}, {".webp", "image/webp"},
	}
)

// FindCover is the cover that lies in a folder; "" if there is none. Case does
// not matter.
func FindCover(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, name := range coverNames {
		for _, t := range coverTypes {
			at := slices.IndexFunc(entries, func(e os.DirEntry) bool { return strings.EqualFold(e.Name(), name+t.extension) })
			if at < 0 {
				continue
			}
			path := filepath.Join(dir, entries[at].Name())
			// A link may lead to a file, or nowhere.
			if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	return "", nil
}

// Cover is the transfer of a picture, which tracks may name when it is stored.
func (c *Client) Cover(file string, sessions *Sessions) *Transfer {
	t := &Transfer{Client: c, File: file, Sessions: sessions, Announcement: Announcement{Filename: filepath.Base(file)}}
	for _, known := range coverTypes {
		if strings.EqualFold(filepath.Ext(file), known.extension) {
			t.Announcement.ContentType = known.contentType
		}
	}
	return t
}

// Store runs a picture's transfer and waits until it is stored, asking at every
// interval. It stays remembered, so that the tracks that name it are announced
// in the same words by the next process, which goes on with them; Forget drops
// it when they are settled. A picture that is refused is forgotten at once.
func (t *Transfer) Store(ctx context.Context, every time.Duration) (upload string, err error) {
	target, err := t.Run(ctx)
	if err != nil {
		return "", err
	}
	s, err := t.Client.Follow(ctx, target.ID, every, func(Status) {})
	if err != nil {
		return "", fmt.Errorf("%s: %w", t.Announcement.Filename, err)
	}
	if s.Status == ingest.Stored {
		return s.ID, nil
	}
	if err := t.Forget(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s: %s", t.Announcement.Filename, strings.TrimSpace(string(s.Status)+" "+s.Reason))
}
