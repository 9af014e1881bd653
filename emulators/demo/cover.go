package demo

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// covers are the pictures that were sent in this run, by their files. Those of
// earlier runs are sent again: the same picture is stored once.
type covers struct {
	mu      sync.Mutex
	uploads map[string]string
}

// cover sends a picture, once, and returns its upload; "" if there is none or
// if it cannot be used: the music goes on without it.
func (c catalogue) cover(ctx context.Context, file string) string {
	if file == "" {
		return ""
	}
	c.covers.mu.Lock()
	defer c.covers.mu.Unlock()
	upload, sent := c.covers.uploads[file]
	if sent {
		return upload
	}
	upload, err := c.client.Cover(file, nil).Store(ctx, time.Second)
	if ctx.Err() != nil {
		return ""
	}
	if err != nil {
		fmt.Fprintf(c.out, "%v; the music goes on without it\n", err)
	}
	c.covers.uploads[file] = upload
	return upload
}
