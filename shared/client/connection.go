package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

var errStalled = errors.New("the connection stalled")

// do sends a request and ends it when nothing moves for a while. Failures of
// the connection, also while the answer's body is read, are lost; they name the
// host only, since whoever has a signed URL can use it. sent is told of the
// request body's bytes as they leave.
func (c *Client) do(h *http.Client, req *http.Request, sent func(n int)) (*http.Response, error) {
	parent := req.Context()
	ctx, cancel := context.WithCancelCause(parent)
	stall := c.Stall
	if stall == 0 {
		stall = time.Minute
	}
	link := &link{parent: parent, ctx: ctx, cancel: cancel, stall: stall, what: req.Method + " " + req.URL.Host}
	link.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	out := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		out.Body = &sending{ReadCloser: req.Body, link: link, sent: sent}
		// The transport sends it again itself where a kept connection was closed
		// before it took anything.
		if again := req.GetBody; again != nil {
			out.GetBody = func() (io.ReadCloser, error) {
				b, err := again()
				return &sending{ReadCloser: b, link: link, sent: sent}, err
			}
		}
	}
	resp, err := h.Do(out)
	link.timer.Stop()
	if err != nil {
		err = link.failure(err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &receiving{ReadCloser: resp.Body, link: link}
	return resp, nil
}

// link is one request and its answer on a connection that may stall.
type link struct {
	parent, ctx context.Context
	cancel      context.CancelCauseFunc
	timer       *time.Timer
	stall       time.Duration
	what        string
}

func (l *link) failure(err error) error {
	if l.parent.Err() != nil {
		return fmt.Errorf("%s: %w", l.what, context.Cause(l.parent))
	}
	if errors.Is(context.Cause(l.ctx), errStalled) {
		err = fmt.Errorf("%w: nothing moved for %s", errStalled, l.stall)
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	return lost{fmt.Errorf("%s: %w", l.what, err)}
}

type sending struct {
	io.ReadCloser
	link *link
	sent func(int)
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.link.timer.Reset(s.link.stall)
	if n > 0 && s.sent != nil {
		s.sent(n)
	}
	return n, err
}

type receiving struct {
	io.ReadCloser
	link *link
}

// Read lets the timer run only while it waits: who reads may take their time.
func (r *receiving) Read(p []byte) (int, error) {
	r.link.timer.Reset(r.link.stall)
	n, err := r.ReadCloser.Read(p)
	r.link.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = r.link.failure(err)
	}
	return n, err
}

func (r *receiving) Close() error {
	r.link.timer.Stop()
	err := r.ReadCloser.Close()
	r.link.cancel(nil)
	return err
}
