// Package client is a small Go client of Segue's own operations: uploading a
// file and following it. Programs that need the Web API's operations have the
// client libraries made for it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
)

// Client calls one Segue as one user.
type Client struct {
	BaseURL string
	// Token gives the access token of a call.
	Token func() (string, error)
	HTTP  *http.Client
}

// Error is an answer in the Web API's error form.
type Error struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Message) }

// Call sends a request with a JSON body (nil for none) and reads the answer
// into out (nil to drop it).
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, payload)
	if err != nil {
		return err
	}
	token, err := c.Token()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		var e struct {
			Error *Error `json:"error"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.Error == nil {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return e.Error
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// Announcement is the request of POST /v1/uploads.
type Announcement struct {
	Filename       string          `json:"filename"`
	ContentType    string          `json:"content_type"`
	Size           int64           `json:"size"`
	AllowDuplicate bool            `json:"allow_duplicate,omitempty"`
	Metadata       ingest.Metadata `json:"metadata"`
}

// Target is where the bytes go: one request with exactly these headers.
type Target struct {
	ID        string            `json:"id"`
	URL       string            `json:"upload_url"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// Status is the answer of GET /v1/uploads/{id}.
type Status struct {
	ID          string        `json:"id"`
	Status      ingest.Status `json:"status"`
	Reason      string        `json:"reason"`
	TrackID     string        `json:"track_id"`
	DuplicateOf string        `json:"duplicate_of"`
	Progress    float64       `json:"progress"`
}

// Upload announces and sends a file.
func (c *Client) Upload(ctx context.Context, file string, a Announcement) (*Target, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a.Size = stat.Size()
	var t Target
	if err := c.Call(ctx, http.MethodPost, "/v1/uploads", a, &t); err != nil {
		return nil, fmt.Errorf("announce %s: %w", a.Filename, err)
	}
	if err := c.Put(ctx, t, f, a.Size); err != nil {
		return nil, fmt.Errorf("send %s: %w", a.Filename, err)
	}
	return &t, nil
}

// Put sends the bytes.
func (c *Client) Put(ctx context.Context, t Target, body io.Reader, size int64) error {
	if size == 0 {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, t.Method, t.URL, body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	for k, v := range t.Headers {
		req.Header.Set(k, v)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("storage answers %s: %s", resp.Status, text)
	}
	return nil
}

// Follow asks for an upload's status, at every interval, until it is settled;
// seen is told of each answer.
func (c *Client) Follow(ctx context.Context, upload string, every time.Duration, seen func(Status)) (Status, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var s Status
		if err := c.Call(ctx, http.MethodGet, "/v1/uploads/"+upload, nil, &s); err != nil {
			return s, err
		}
		seen(s)
		if s.Status != ingest.Waiting && s.Status != ingest.Processing {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("upload %s is still %s: %w", upload, s.Status, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
