package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Chunk is how much of a file one request carries; Cloud Storage wants a
// multiple of 256 KiB of all but the last.
const Chunk = 8 << 20

// errGone is a session that storage no longer knows.
var errGone = errors.New("storage no longer knows the upload's session")

// session is a resumable upload of Cloud Storage. 308 with a Range says what is
// held, without one that nothing is; 200 and 201 that the object is there.
type session struct {
	c      *Client
	target Target
	size   int64
}

// ask finds out how much is held.
func (s *session) ask(ctx context.Context) (held int64, done bool, err error) {
	resp, err := s.c.store(ctx, s.target, http.NoBody, 0, fmt.Sprintf("bytes */%d", s.size), nil)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	return s.read(resp)
}

// send sends n bytes that start at offset.
func (s *session) send(ctx context.Context, body io.Reader, offset, n int64, sent func(int)) (held int64, done bool, err error) {
	resp, err := s.c.store(ctx, s.target, body, n, fmt.Sprintf("bytes %d-%d/%d", offset, offset+n-1, s.size), sent)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	held, done, err = s.read(resp)
	if err == nil && held > offset+n {
		err = fmt.Errorf("storage says that it holds %d bytes, of %d sent", held, offset+n)
	}
	return held, done, err
}

func (s *session) read(resp *http.Response) (held int64, done bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		return s.size, true, nil
	case http.StatusPermanentRedirect:
		held, err = parseHeld(resp.Header.Get("Range"), s.size)
		return held, false, err
	case http.StatusNotFound, http.StatusGone, 499: // the last: cancelled
		return 0, false, errGone
	case http.StatusRequestedRangeNotSatisfiable:
		// Storage and we differ on what it holds; ask, and go on from there.
		return 0, false, lost{storageError(resp)}
	default:
		return 0, false, storageError(resp)
	}
}

// parseHeld reads "bytes=0-N", what a 308 says is held.
func parseHeld(value string, size int64) (int64, error) {
	if value == "" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(value, "bytes=0-")
	last, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || last < 0 || last >= size {
		return 0, fmt.Errorf("storage says that it holds %q of a file of %d bytes", value, size)
	}
	return last + 1, nil
}
