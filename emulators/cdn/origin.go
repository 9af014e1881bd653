package cdn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	fetchTimeout = 2 * time.Minute
	maxObject    = 1 << 30
)

var errNotFound = errors.New("no such object")

// place is where an object lies.
type place struct{ bucket, name string }

// key is the place in one string: no bucket's name has a slash.
func (p place) key() string { return p.bucket + "/" + p.name }

// fill returns the object of that place from the cache or, once for all who ask
// at the same time, from the origin.
func (c *CDN) fill(ctx context.Context, at place) (*object, error) {
	filled := c.filling.DoChan(at.key(), func() (any, error) {
		// Someone else's fetch may have ended since the caller looked.
		if o, ok := c.cache.get(at.key()); ok {
			return o, nil
		}
		// Not the caller's context: others wait for this fetch too.
		fetching, cancel := context.WithTimeout(c.running, fetchTimeout)
		defer cancel()
		o, err := c.fetch(fetching, at)
		if err != nil {
			return nil, err
		}
		c.cache.add(at.key(), o)
		return o, nil
	})
	select {
	case r := <-filled:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*object), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *CDN) fetch(ctx context.Context, at place) (*object, error) {
	c.fetches.Add(1)
	from := c.opts.Origin + "/storage/v1/b/" + url.PathEscape(at.bucket) + "/o/" + url.PathEscape(at.name) + "?alt=media"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the origin: %w", err)
	}
	// The bytes as they are stored: ranges and hashes are of those.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the origin: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, errNotFound
	default:
		return nil, fmt.Errorf("the origin answered %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxObject+1))
	if err != nil {
		return nil, fmt.Errorf("read from the origin: %w", err)
	}
	if len(body) > maxObject {
		return nil, fmt.Errorf("the object is larger than %d bytes", maxObject)
	}
	o := newObject(body, resp.Header, c.opts.Now())
	if at.bucket == c.opts.Images {
		o.cacheControl = resp.Header.Get("Cache-Control")
	}
	return o, nil
}

func newObject(body []byte, h http.Header, now time.Time) *object {
	o := &object{body: body, contentType: h.Get("Content-Type"), etag: h.Get("ETag"), filled: now}
	if o.contentType == "" {
		o.contentType = "application/octet-stream"
	}
	// If-Range holds with a strong, quoted entity tag only.
	if len(o.etag) < 2 || !strings.HasPrefix(o.etag, `"`) || !strings.HasSuffix(o.etag, `"`) {
		sum := sha256.Sum256(body)
		o.etag = `"` + hex.EncodeToString(sum[:16]) + `"`
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		o.modified = modified
	}
	return o
}

// noRedirect keeps the credentials of the transport with the origin.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
