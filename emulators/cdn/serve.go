package cdn

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (c *CDN) serve(w http.ResponseWriter, r *http.Request) {
	if !c.delay(r) {
		return
	}
	setCORS(w.Header())
	if r.Method == http.MethodOptions {
		preflight(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if path, _, _ := strings.Cut(r.RequestURI, "?"); c.isPublic(path) {
		c.servePublic(w, r, path)
		return
	}
	name, err := c.authorize(r)
	if err != nil {
		c.refused.Add(1)
		c.log.Printf("%s %q: 403: %v", r.Method, r.URL.Path, err)
		answer(w, http.StatusForbidden, err.Error())
		return
	}
	c.serveObject(w, r, place{c.opts.Bucket, name}, "public, max-age=31536000")
}

// serveObject answers with an object; cacheControl is for one without its own.
func (c *CDN) serveObject(w http.ResponseWriter, r *http.Request, at place, cacheControl string) {
	o, hit, err := c.object(r, at)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", o.contentType)
	h.Set("ETag", o.etag)
	h.Set("Cache-Control", cmp.Or(o.cacheControl, cacheControl))
	h.Set("X-Cache", "MISS")
	if hit {
		h.Set("X-Cache", "HIT")
		h.Set("Age", strconv.FormatInt(max(0, int64(c.opts.Now().Sub(o.filled).Seconds())), 10))
	}
	http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.body))
}

// authorize is the name of the object that the request may read.
func (c *CDN) authorize(r *http.Request) (string, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", errors.New("only GET and HEAD can be signed")
	}
	// The request line as it came: net/http has already decoded r.URL.
	path, query, _ := strings.Cut(r.RequestURI, "?")
	name, err := objectName(path)
	if err != nil {
		return "", err
	}
	s, err := parseSignature(query)
	if err != nil {
		return "", err
	}
	// Host and path may be joined: net/http refuses a Host header with a slash,
	// which would pass a part of it off as the path.
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return name, s.verify(scheme+"://"+r.Host+path, c.keys.all(), c.opts.Now())
}

// object finds the object by its name alone: signatures are no part of the key.
func (c *CDN) object(r *http.Request, at place) (o *object, hit bool, err error) {
	if at.name == "" {
		// The bucket's own address would list it.
		return nil, false, errNotFound
	}
	if o, ok := c.cache.get(at.key()); ok {
		c.hits.Add(1)
		return o, true, nil
	}
	c.misses.Add(1)
	o, err = c.fill(r.Context(), at)
	return o, false, err
}

// fail answers for the origin; nothing of it is kept, so the next request asks
// again.
func (c *CDN) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNotFound) {
		answer(w, http.StatusNotFound, err.Error())
		return
	}
	if r.Context().Err() != nil {
		return
	}
	c.log.Printf("%s %q: 502: %v", r.Method, r.URL.Path, err)
	answer(w, http.StatusBadGateway, err.Error())
}

// delay says whether the client is still there after the configured latency.
func (c *CDN) delay(r *http.Request) bool {
	d := time.Duration(c.latency.Load())
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// setCORS lets a page on any origin read ranges; refusals too, so that the page
// sees their status.
func setCORS(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Accept-Ranges, Age, Content-Length, Content-Range, ETag, X-Cache")
}

func preflight(h http.Header) {
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Range, If-Range, If-None-Match, If-Modified-Since")
	h.Set("Access-Control-Max-Age", "3600")
}

func answer(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status)+": "+why, status)
}
