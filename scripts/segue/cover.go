package main

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/segue-audio/segue/shared/client"
)

// covers are the pictures beside the files, each sent once, before the first
// track of its folder.
type covers struct {
	client   *client.Client
	sessions *client.Sessions
	app      *app
	tell     func(outcome) // of those that fail

	mu   sync.Mutex
	dirs map[string]*cover // nil: without covers
}

// cover is a folder's.
type cover struct {
	once     sync.Once
	upload   string
	transfer *client.Transfer
	left     int // files that are not settled
}

func (a *app) covers(u upload, files []file, cl *client.Client, sessions *client.Sessions, tell func(outcome)) *covers {
	c := &covers{client: cl, sessions: sessions, app: a, tell: tell}
	if u.noCover {
		return c
	}
	c.dirs = map[string]*cover{}
	for _, f := range files {
		dir := filepath.Dir(f.path)
		if c.dirs[dir] == nil {
			c.dirs[dir] = &cover{}
		}
		c.dirs[dir].left++
	}
	return c
}

// of is the upload of the picture beside a file, once it is stored; "" if there
// is none, or none that can be used, which is told, and stops no track.
func (c *covers) of(ctx context.Context, f file) string {
	dir := filepath.Dir(f.path)
	found := c.dirs[dir]
	if found == nil {
		return ""
	}
	found.once.Do(func() {
		path, err := client.FindCover(dir)
		if err != nil {
			c.tell(outcome{File: dir}.failed(err))
		}
		if path == "" {
			return
		}
		found.transfer = c.client.Cover(path, c.sessions)
		found.transfer.Chunk = c.app.chunk
		if found.upload, err = found.transfer.Store(ctx, c.app.poll); err != nil {
			c.tell(outcome{File: path}.failed(err))
		}
	})
	return found.upload
}

// settled forgets a folder's cover with its last file. While one is left, of this
// run or of an earlier one, the next run needs it: a track that names another is
// another upload.
func (c *covers) settled(f file) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.dirs[filepath.Dir(f.path)]
	if found == nil {
		return nil
	}
	if found.left--; found.left > 0 || found.upload == "" {
		return nil
	}
	if needed, err := c.sessions.Names(found.upload); err != nil || needed {
		return err
	}
	return found.transfer.Forget()
}
