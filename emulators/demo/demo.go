// Package demo gives a fresh Segue its first music: real tracks under a free
// licence, sent through the real ingest as any label would send them.
package demo

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/harness"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// piece is one file to upload.
type piece struct {
	file        string
	contentType string
	metadata    ingest.Metadata
}

// First uploads the first tracks and returns when they can be played.
func First(ctx context.Context, h *harness.Harness) error {
	out := h.Log("demo")
	pieces, err := fetch(ctx, filepath.Join(h.Data(), "downloads"), out)
	if err != nil {
		return fmt.Errorf("demo music: %w", err)
	}
	c := &client.Client{BaseURL: h.URL(), HTTP: http.DefaultClient, Token: func() (string, error) { return h.Token("LABEL") }}
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range pieces {
		g.Go(func() error {
			track, err := upload(ctx, c, p, func(s string) { fmt.Fprintln(out, s) })
			if err != nil {
				return err
			}
			return h.AddDemoTrack(track)
		})
	}
	return g.Wait()
}

func upload(ctx context.Context, c *client.Client, p piece, say func(string)) (track string, err error) {
	name := filepath.Base(p.file)
	t, err := c.Upload(ctx, p.file, client.Announcement{Filename: name, ContentType: p.contentType, Metadata: p.metadata})
	if err != nil {
		return "", err
	}
	last := time.Now()
	s, err := c.Follow(ctx, t.ID, time.Second, func(s client.Status) {
		if time.Since(last) > 5*time.Second {
			say(fmt.Sprintf("%s %3.0f %%", name, 100*s.Progress))
			last = time.Now()
		}
	})
	if err != nil {
		return "", err
	}
	if s.Status != ingest.Playable {
		return "", fmt.Errorf("%s: %s", name, strings.TrimSpace(string(s.Status)+" "+s.Reason))
	}
	say(fmt.Sprintf("%s: track %s", name, s.TrackID))
	return s.TrackID, nil
}
