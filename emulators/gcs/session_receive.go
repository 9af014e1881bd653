package gcs

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// receive takes a chunk's bytes: those that are held already are skipped, and
// those that arrive before the connection breaks are kept. The caller has the
// turn.
func (e *Emulator) receive(r *http.Request, s *session, c chunk) (document, int64, error) {
	doc, held := s.now()
	allowed, err := parseSizes(doc.LengthRange)
	if err == nil {
		err = doc.accepts(c, held, allowed)
	}
	if err == nil && doc.Total < 0 && c.total >= 0 {
		err = s.change(func(d *document) { d.Total = c.total })
	}
	if err != nil {
		return doc, held, err
	}
	c = c.within(doc.Total)
	if c.end > c.taken() {
		e.log.Printf("session of %s/%s: of %d bytes only %d are kept: all but the last chunk are multiples of 256 KiB",
			doc.Bucket, doc.Object.Name, c.end-c.first, c.taken()-c.first)
	}
	f, err := os.OpenFile(s.path+".data", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return doc, held, fmt.Errorf("session: %w", err)
	}
	defer f.Close()
	if err := s.fill(f, r.Body, c, allowed); err != nil {
		return doc, held, err
	}
	doc, held = s.now()
	return doc, held, nil
}

// accepts holds what a chunk says of itself against what is known.
func (d document) accepts(c chunk, held int64, allowed sizes) error {
	total := d.Total
	switch {
	case total < 0:
		total = c.total
	case c.total >= 0 && c.total != total:
		return invalidArgument(fmt.Sprintf("the object has %d bytes, as was said before, and not %d", total, c.total))
	}
	switch {
	case total >= 0 && allowed.check(total) != nil:
		return allowed.check(total)
	case total >= 0 && (c.end > total || c.first > total):
		return invalidArgument(fmt.Sprintf("Content-Range goes beyond the %d bytes of the object", total))
	case total >= 0 && total < held:
		return invalidArgument(fmt.Sprintf("%d bytes are held already, more than the %d of the object", held, total))
	case allowed.max >= 0 && c.end > allowed.max:
		return allowed.check(c.end)
	case c.first > held:
		// The one answer of a session that is plain text; clients know it by that.
		return &refusal{
			status: http.StatusServiceUnavailable, plain: true,
			message: fmt.Sprintf("Invalid request.  According to the Content-Range header, the upload offset is %d byte(s), which exceeds already uploaded size of %d byte(s).", c.first, held),
		}
	}
	return nil
}

// fill copies the body to where it belongs.
func (s *session) fill(f *os.File, body io.Reader, c chunk, allowed sizes) error {
	_, before := s.now()
	buffer := make([]byte, 64<<10)
	for at := c.first; ; {
		n, err := body.Read(buffer)
		next := at + int64(n)
		if n > 0 {
			s.progress.Add(1)
		}
		// Bodies of no declared length can be longer than they may.
		if c.end >= 0 && next > c.end {
			return errors.Join(s.shrink(f, before), invalidArgument("the request's body is longer than its Content-Range"))
		}
		if c.end < 0 && allowed.max >= 0 && next > allowed.max {
			return errors.Join(s.shrink(f, before), allowed.check(next))
		}
		keep := buffer[:n]
		if c.end >= 0 {
			keep = buffer[:max(0, min(int64(n), c.taken()-at))]
		}
		if err := s.write(f, at, keep); err != nil {
			return err
		}
		at = next
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unavailable("the request's body broke off: " + err.Error())
		}
	}
}

// write keeps what is new of the bytes at a place.
func (s *session) write(f *os.File, at int64, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return unavailable("stopped")
	}
	if at > s.held {
		return fmt.Errorf("session: bytes at %d, but %d are held", at, s.held)
	}
	skip := s.held - at
	if skip >= int64(len(p)) {
		return nil
	}
	p = p[skip:]
	if _, err := f.WriteAt(p, s.held); err != nil {
		// What is held is the file's length: no torn rest may count.
		return errors.Join(fmt.Errorf("session: %w", err), f.Truncate(s.held))
	}
	s.held += int64(len(p))
	return nil
}

// shrink takes back what a refused request has brought.
func (s *session) shrink(f *os.File, held int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return unavailable("stopped")
	}
	if err := f.Truncate(held); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.held = held
	return nil
}
