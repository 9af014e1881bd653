package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segue-audio/segue/shared/client"
)

// upload sends the files, some at once and in their order. Whoever has sent one
// makes room for the next: following costs nothing.
func (a *app) upload(ctx context.Context, u upload, args []string) error {
	files, err := u.plan(args)
	if err != nil {
		return err
	}
	dir, err := a.cache()
	if err != nil {
		return fmt.Errorf("a folder to remember uploads in: %w", err)
	}
	c := a.console()
	defer c.close()
	cl, err := a.client(c, "SEGUE_TOKEN_LABEL")
	if err != nil {
		return err
	}
	var size int64
	for _, f := range files {
		size += f.size
	}
	c.all(size)
	var wg sync.WaitGroup
	var failed atomic.Bool
	sessions := &client.Sessions{Dir: dir}
	pictures := a.covers(u, files, cl, sessions, func(o outcome) {
		_ = c.result(o) // as of a track, whose result fails the run anyway
		failed.Store(true)
	})
	room := make(chan struct{}, u.parallel)
	for i, f := range files {
		room <- struct{}{}
		s := &sender{
			c: c, u: u, f: f, covers: pictures, poll: a.poll, row: c.row(filepath.Base(f.path), f.size, i), release: sync.OnceFunc(func() { <-room }),
			transfer: &client.Transfer{Client: cl, File: f.path, Announcement: u.announcement(f), Sessions: sessions, Chunk: a.chunk},
		}
		wg.Go(func() {
			o := s.run(ctx)
			if err := c.result(o); err != nil || o.bad() {
				failed.Store(true)
			}
		})
	}
	wg.Wait()
	if failed.Load() {
		return errFailed
	}
	return nil
}

// sender brings one file to its end.
type sender struct {
	c        *console
	u        upload
	f        file
	poll     time.Duration
	row      *row
	covers   *covers
	transfer *client.Transfer
	release  func() // lets the next file begin
}

func (s *sender) run(ctx context.Context) outcome {
	defer s.release()
	defer s.row.end()
	o := outcome{File: s.f.path}
	if ctx.Err() != nil {
		return o.failed(context.Cause(ctx))
	}
	s.transfer.Announcement.Metadata.Cover = s.covers.of(ctx, s.f)
	s.row.say("sending")
	s.transfer.Progress = s.row.set
	target, err := s.transfer.Run(ctx)
	if err != nil {
		return o.failed(err)
	}
	s.release()
	o.ID = target.ID
	s.row.say("waiting")
	settle := s.transfer.Client.Status
	if s.u.wait {
		settle = func(ctx context.Context, upload string) (client.Status, error) {
			return s.transfer.Client.Follow(ctx, upload, s.poll, func(st client.Status) {
				s.row.say(fmt.Sprintf("%s %.0f %%", st.Status, 100*st.Progress))
			})
		}
	}
	st, err := settle(ctx, target.ID)
	if err != nil {
		return o.failed(err)
	}
	// Die before this, and the next run is told of the same end.
	if st.Settled() {
		err = errors.Join(s.transfer.Forget(), s.covers.settled(s.f))
	}
	o = o.of(st)
	if err != nil {
		return o.failed(err)
	}
	return o
}
