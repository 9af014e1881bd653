package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
)

// Announcement is the request of POST /v1/uploads.
type Announcement struct {
	Filename       string          `json:"filename"`
	ContentType    string          `json:"content_type"`
	Size           int64           `json:"size"`
	AllowDuplicate bool            `json:"allow_duplicate,omitempty"`
	Resumable      bool            `json:"resumable,omitempty"`
	Metadata       ingest.Metadata `json:"metadata"`
}

// Target is where the bytes go: one request with exactly these headers, or a
// session that takes them piece by piece.
type Target struct {
	ID        string            `json:"id"`
	URL       string            `json:"upload_url"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
	Resumable bool              `json:"resumable,omitempty"`
}

// Upload announces and sends a file: a Transfer that nobody watches and that
// does not outlive the process.
func (c *Client) Upload(ctx context.Context, file string, a Announcement) (*Target, error) {
	return (&Transfer{Client: c, File: file, Announcement: a}).Run(ctx)
}

// announce asks for a session, or for a plain PUT where sessions are refused.
// Its answer lost, an upload waits for bytes that never come, and the next
// announcement is another.
func (c *Client) announce(ctx context.Context, a Announcement) (t Target, err error) {
	// Cloud Storage takes "bytes */0" for a question and for the end at once:
	// an empty file goes the plain way.
	a.Resumable = a.Size > 0
	err = c.CallAgain(ctx, http.MethodPost, "/v1/uploads", a, &t)
	var e *Error
	if a.Resumable && errors.As(err, &e) && e.Status == http.StatusBadRequest {
		a.Resumable, t = false, Target{}
		err = c.CallAgain(ctx, http.MethodPost, "/v1/uploads", a, &t)
	}
	return t, err
}

// Put sends the bytes in one request, once.
func (c *Client) Put(ctx context.Context, t Target, body io.Reader, size int64) error {
	return c.put(ctx, t, body, size, nil)
}

func (c *Client) put(ctx context.Context, t Target, body io.Reader, size int64, sent func(int)) error {
	if size == 0 {
		body = http.NoBody
	}
	resp, err := c.store(ctx, t, body, size, "", sent)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return storageError(resp)
	}
	return nil
}

// store sends a request to the target.
func (c *Client) store(ctx context.Context, t Target, body io.Reader, size int64, contentRange string, sent func(int)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, t.Method, t.URL, io.NopCloser(body))
	if err != nil {
		return nil, errors.New("the URL or method for the file is malformed")
	}
	if size == 0 {
		req.Body = http.NoBody
	}
	req.ContentLength = size
	for k, v := range t.Headers {
		req.Header.Set(k, v)
	}
	if contentRange != "" {
		req.Header.Set("Content-Range", contentRange)
	}
	return c.do(c.storageClient(), req, sent)
}

func storageError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	message := strings.TrimSpace(http.StatusText(resp.StatusCode) + ": " + string(text))
	return fmt.Errorf("storage answers %w", &Error{Status: resp.StatusCode, Message: message, RetryAfter: retryAfter(resp)})
}
