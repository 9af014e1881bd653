package cdn

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/playback"
)

const (
	bucket = "audio-bucket"
	bearer = "Bearer the-run's-token"
	folder = "audio/Zk3PpN0sVw1rX9tq4uYbAg/"
)

// origin is a private bucket: it answers nobody without the bearer.
type origin struct {
	*httptest.Server
	mu       sync.Mutex
	objects  map[string]string
	requests []string
	// before, when set, may answer in the bucket's place.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
}

func startOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{objects: map[string]string{
		folder + "data": strings.Repeat("0123456789abcdef", 4096), folder + "hashes": "hashes of it", folder + "seek": "seek points",
		"audio/other/data": "another track's",
	}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.requests = append(o.requests, r.URL.RequestURI())
	before := o.before
	name, ok := strings.CutPrefix(r.URL.Path, "/storage/v1/b/"+bucket+"/o/")
	body, found := o.objects[name]
	o.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	switch {
	case r.Header.Get("Authorization") != bearer:
		http.Error(w, "no bearer", http.StatusUnauthorized)
	case !ok || !found || r.URL.Query().Get("alt") != "media":
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("ETag", `"generation-1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = io.WriteString(w, body)
	}
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

func (o *origin) answer(before func(http.ResponseWriter, *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = before
}

// authorized adds the credentials that the CDN's service account has.
type authorized struct{}

func (authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", bearer)
	return http.DefaultTransport.RoundTrip(r)
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func keys() map[string][]byte {
	return map[string][]byte{"new": []byte("0123456789abcdef"), "old": []byte("fedcba9876543210")}
}

type bench struct {
	*CDN
	origin *origin
	clock  *clock
}

// start serves the origin through a CDN whose clock stands still.
func start(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{origin: startOrigin(t), clock: &clock{now: time.Unix(1_800_000_000, 0)}}
	opts := Options{
		Origin: b.origin.URL, Bucket: bucket, Transport: authorized{}, Keys: keys(), Now: b.clock.Now, Log: t.Output(),
	}
	for _, c := range change {
		c(&opts)
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	b.CDN = c
	return b
}

func (b *bench) signer(t *testing.T, base, keyName string, key []byte) *playback.CloudCDN {
	t.Helper()
	s, err := playback.NewCloudCDN(base, keyName, base64.URLEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign gives the folder's URLs for ten minutes, under the newer key.
func (b *bench) sign(t *testing.T, folder string) playback.URLs {
	t.Helper()
	urls, err := b.signer(t, b.URL(), "new", keys()["new"]).Sign(t.Context(), folder, b.clock.Now().Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return urls
}

type response struct {
	status int
	header http.Header
	body   string
}

// do is safe in any goroutine; a request that fails has status 0.
func do(t *testing.T, method, url string, header ...string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Error(err)
		return response{}
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return response{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return response{resp.StatusCode, resp.Header, string(body)}
}

func get(t *testing.T, url string, header ...string) response {
	t.Helper()
	return do(t, http.MethodGet, url, header...)
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"no origin":     func(o *Options) { o.Origin = "" },
		"origin's host": func(o *Options) { o.Origin = "localhost:4443" },
		"no bucket":     func(o *Options) { o.Bucket = "" },
		"no keys":       func(o *Options) { o.Keys = nil },
		"four keys": func(o *Options) {
			k := keys()["new"]
			o.Keys = map[string][]byte{"a": k, "b": k, "c": k, "d": k}
		},
		"a short key": func(o *Options) { o.Keys["new"] = []byte("short") },
		"a bad name":  func(o *Options) { o.Keys["new key"] = o.Keys["new"] },
	} {
		opts := Options{Origin: "http://127.0.0.1:4443", Bucket: bucket, Keys: keys()}
		change(&opts)
		if _, err := New(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestPartLifecycle(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Origin: "http://127.0.0.1:4443", Bucket: bucket, Keys: keys()})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name() != "cdn" || c.URL() != "" || c.Health(t.Context()) == nil {
		t.Error("the part claims to serve before its start")
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Errorf("stop before start: %v", err)
	}
	b := start(t)
	if err := b.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if u, err := url.Parse(b.URL()); err != nil || u.Port() == "" || u.Path != "" {
		t.Errorf("URL is %q (%v)", b.URL(), err)
	}
	for range 2 {
		if err := b.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	if err := b.Health(t.Context()); err == nil {
		t.Error("a stopped part is well")
	}
	select {
	case err := <-b.Failed():
		t.Errorf("a stop is a failure: %v", err)
	default:
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	b := start(t)
	u, err := url.Parse(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Port: port, Origin: b.origin.URL, Bucket: bucket, Keys: keys()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), u.Port()) {
		t.Errorf("a taken port: %v", err)
	}
}
