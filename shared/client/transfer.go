package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/segue-audio/segue/shared/ingest"
)

// ErrChanged is a file that was written to while it was being sent.
var ErrChanged = errors.New("the file changed while it was being sent")

// Transfer brings one file to Segue, over as many connections as it takes and,
// where it has Sessions, as many processes.
type Transfer struct {
	Client       *Client
	File         string
	Announcement Announcement // Size is filled in
	// Sessions remembers the transfer for another process; nil does not.
	Sessions *Sessions
	// Chunk is how much one request carries, a multiple of 256 KiB; 0 is Chunk.
	Chunk int64
	// Progress is told how many bytes are on their way or there; the number
	// falls when a connection is lost.
	Progress func(bytes int64)

	file *os.File
	stat fs.FileInfo
}

// maxSessions bounds how often a session that vanished is replaced.
const maxSessions = 3

// Run sends the file, or what is missing of it. A process that dies anywhere in
// it has left one of: nothing, or an announced upload that is never sent; a
// remembered session, which the next Run goes on with; or a remembered upload
// that is complete, which the next Run finds so.
func (t *Transfer) Run(ctx context.Context) (*Target, error) {
	target, err := t.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Announcement.Filename, err)
	}
	return target, nil
}

func (t *Transfer) run(ctx context.Context) (_ *Target, err error) {
	if t.file, err = os.Open(t.File); err != nil {
		return nil, err
	}
	defer t.file.Close()
	if t.stat, err = t.file.Stat(); err != nil {
		return nil, err
	}
	if !t.stat.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	t.Announcement.Size = t.stat.Size()
	for range maxSessions {
		target, err := t.once(ctx)
		if !errors.Is(err, errGone) {
			return target, err
		}
		// Gone may also mean long finished: the next round asks for the status.
		if arrived, err := t.arrived(ctx, target.ID); err != nil || arrived {
			return target, err
		}
		if err := t.Forget(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w, %d times", errGone, maxSessions)
}

// once goes on with what is remembered, or begins.
func (t *Transfer) once(ctx context.Context) (*Target, error) {
	m, err := t.recall(ctx)
	if err != nil {
		return nil, err
	}
	resumed := m != nil
	if !resumed {
		target, err := t.Client.announce(ctx, t.Announcement)
		if err != nil {
			return nil, fmt.Errorf("announce: %w", err)
		}
		m = t.memory(target)
		// A plain PUT cannot be gone on with: there is nothing to remember yet.
		if target.Resumable {
			if err := t.Sessions.save(m); err != nil {
				return nil, err
			}
		}
	}
	if !m.Sent {
		send := t.sendPlain
		if m.Target.Resumable {
			send = t.sendChunks
		}
		err := send(ctx, m.Target, resumed)
		if errors.Is(err, ErrChanged) {
			err = errors.Join(err, t.Forget())
		}
		if err != nil {
			return &m.Target, fmt.Errorf("send: %w", err)
		}
		m.Sent = true
		if err := t.Sessions.save(m); err != nil {
			return nil, err
		}
	}
	t.progress(t.stat.Size())
	return &m.Target, nil
}

// recall finds what an earlier process began of this very file, with these very
// words, and that the service still knows.
func (t *Transfer) recall(ctx context.Context) (*memory, error) {
	m, err := t.Sessions.load(t.memory(Target{}))
	if m == nil || err != nil {
		return nil, err
	}
	s, err := t.Client.Status(ctx, m.Target.ID)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil, t.Forget()
	}
	m.Sent = m.Sent || s.Status != ingest.Waiting
	return m, err
}

func (t *Transfer) arrived(ctx context.Context, upload string) (bool, error) {
	s, err := t.Client.Status(ctx, upload)
	return err == nil && s.Status != ingest.Waiting, err
}

// Forget drops what is remembered of the file; for when its upload is settled.
func (t *Transfer) Forget() error { return t.Sessions.forget(t.memory(Target{})) }

func (t *Transfer) progress(bytes int64) {
	if t.Progress != nil {
		t.Progress(bytes)
	}
}

// unchanged says whether the file is still the one that was announced.
func (t *Transfer) unchanged() error {
	now, err := t.file.Stat()
	if err != nil {
		return err
	}
	if now.Size() != t.stat.Size() || !now.ModTime().Equal(t.stat.ModTime()) {
		return ErrChanged
	}
	return nil
}

func (t *Transfer) body(offset, n int64) io.Reader { return io.NewSectionReader(t.file, offset, n) }
