// Package client is a small Go client of Segue's own operations: sending a file
// and following it, and fetching a track's audio, checked and decrypted. It
// bears a network that is not always there. Programs that need the Web API's
// operations have the client libraries made for it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls one Segue as one user. The fields from HTTP on may be zero.
type Client struct {
	BaseURL string
	// Token gives the access token of a call.
	Token func() (string, error)
	HTTP  *http.Client
	// Stall is how long a connection may move nothing before it counts as
	// lost; 0 is a minute.
	Stall time.Duration
	// Sleep waits between attempts; nil is a timer.
	Sleep func(context.Context, time.Duration) error
	// Retrying is told of each failure that is tried again, and after what wait.
	Retrying func(err error, wait time.Duration)
}

// Error is an answer in the Web API's error form, or one of storage's.
type Error struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	// RetryAfter is when the server wants to be asked again; 0 says nothing.
	RetryAfter time.Duration `json:"-"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Message) }

// Call sends a request with a JSON body (nil for none) once, and reads the
// answer into out (nil to drop it).
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
	resp, err := c.do(c.httpClient(), req, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return apiError(method, path, resp)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func apiError(method, path string, resp *http.Response) error {
	var e struct {
		Error *Error `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.Error == nil {
		e := &Error{Status: resp.StatusCode, Message: http.StatusText(resp.StatusCode), RetryAfter: retryAfter(resp)}
		return fmt.Errorf("%s %s: %w", method, path, e)
	}
	e.Error.Status, e.Error.RetryAfter = resp.StatusCode, retryAfter(resp)
	return e.Error
}

// CallAgain is Call, tried again while its failures may pass. What it asks for
// must bear to be done twice, since an answer can be lost on its way.
func (c *Client) CallAgain(ctx context.Context, method, path string, body, out any) error {
	for tries := c.attempts(); ; {
		err := c.Call(ctx, method, path, body, out)
		if err == nil {
			return nil
		}
		if err := tries.again(ctx, err); err != nil {
			return err
		}
	}
}

func (c *Client) httpClient() *http.Client {
	if c.HTTP == nil {
		return http.DefaultClient
	}
	return c.HTTP
}

// storageClient follows no redirects: 308 is Cloud Storage's "go on".
func (c *Client) storageClient() *http.Client {
	plain := *c.httpClient()
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &plain
}
