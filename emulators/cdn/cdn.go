// Package cdn stands in for Cloud CDN in front of two buckets. Of the private one
// it checks signed URLs; what lies under images/ in the other is everybody's, and
// its query is ignored, as the service leaves it out of the cache key. It fills
// its cache from the buckets and serves ranges. It is for
// development and tests: it keeps its cache in memory, and it is no CDN for
// anyone else.
//
// Where it differs from the service it refuses more, so that a URL that works
// here works there. The service passes unsigned requests on to the origin, which
// refuses them because the bucket is private; here they are refused at once. The
// parameters of a signature must be the whole query, in the order in which they
// are documented and signed, and without percent-encoding; what the service does
// with another order is not documented. A URLPrefix must reach beyond the host,
// and a path must have one reading. The service fills large objects by ranges;
// here an object is fetched whole.
package cdn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/segue-audio/segue/emulators/part"
)

const (
	partName        = "cdn"
	maxKeys         = 3
	defaultMaxCache = 256 << 20
)

// Options configure the part; Origin, Bucket and Keys are required.
type Options struct {
	Port   int    // 0 takes any free port
	Origin string // base URL of Cloud Storage
	Bucket string
	// Images is the bucket whose images/ everybody may read; empty for none.
	Images string
	// Transport carries requests to the origin and adds the credentials that open
	// the buckets; nil is http.DefaultTransport, which adds none.
	Transport http.RoundTripper
	// Keys are the signing keys to begin with, by name, one to three of 16 bytes;
	// all are good.
	Keys map[string][]byte
	// Now is the clock that expiry is judged by; nil is the system's.
	Now func() time.Time
	// Latency is added to every request; SetLatency changes it.
	Latency time.Duration
	// MaxCacheBytes bounds the bodies in the cache; 0 is 256 MiB.
	MaxCacheBytes int64
	Log           io.Writer // nil discards
}

// Stats count since the start.
type Stats struct {
	Hits    int64 // served from the cache
	Misses  int64 // not in the cache when asked for
	Fetches int64 // requests to the origin
	Refused int64 // requests answered 403
}

// CDN is the part.
type CDN struct {
	opts    Options
	keys    *keyring
	client  *http.Client
	log     *log.Logger
	cache   *cache
	filling singleflight.Group

	server *part.Server
	failed chan error
	// running ends fetches, which outlive the request that began them.
	running context.Context
	stop    context.CancelFunc

	latency                        atomic.Int64
	hits, misses, fetches, refused atomic.Int64
}

var _ part.Part = (*CDN)(nil)

// New checks the options; Start serves.
func New(opts Options) (*CDN, error) {
	origin, err := url.Parse(opts.Origin)
	if err != nil || (origin.Scheme != "http" && origin.Scheme != "https") || origin.Host == "" {
		return nil, fmt.Errorf("cdn: origin %q is not an HTTP URL", opts.Origin)
	}
	if opts.Bucket == "" {
		return nil, errors.New("cdn: no bucket")
	}
	keys, err := newKeyring(opts.Keys)
	if err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Transport == nil {
		opts.Transport = http.DefaultTransport
	}
	if opts.MaxCacheBytes == 0 {
		opts.MaxCacheBytes = defaultMaxCache
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	opts.Origin = strings.TrimSuffix(opts.Origin, "/")
	running, stop := context.WithCancel(context.Background())
	c := &CDN{
		opts: opts, keys: keys, log: log.New(opts.Log, "", 0), cache: newCache(opts.MaxCacheBytes),
		client: &http.Client{Transport: opts.Transport, CheckRedirect: noRedirect},
		failed: make(chan error, 1), running: running, stop: stop,
	}
	c.latency.Store(int64(opts.Latency))
	return c, nil
}

// Name implements part.Part.
func (c *CDN) Name() string { return partName }

// Start implements part.Part.
func (c *CDN) Start(ctx context.Context) error {
	server, err := part.StartServer(ctx, partName, c.opts.Port, http.HandlerFunc(c.serve))
	if err != nil {
		return err
	}
	c.server = server
	go func() {
		select {
		case err := <-server.Failed():
			c.failed <- err
		case <-c.running.Done():
		}
	}()
	return nil
}

// Health implements part.Part: the CDN is well when it answers a preflight.
func (c *CDN) Health(ctx context.Context) error {
	if c.server == nil {
		return errors.New("cdn is not started")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, c.URL()+"/", nil)
	if err != nil {
		return fmt.Errorf("cdn: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cdn does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("cdn answers a preflight with %s", resp.Status)
	}
	return nil
}

// Stop implements part.Part.
func (c *CDN) Stop(ctx context.Context) error {
	defer c.stop()
	if c.server == nil {
		return nil
	}
	return c.server.Stop(ctx)
}

// Failed implements part.Part.
func (c *CDN) Failed() <-chan error { return c.failed }

// URL is the base URL to sign for; it is known once the part has started.
func (c *CDN) URL() string {
	if c.server == nil {
		return ""
	}
	return c.server.URL()
}

// SetLatency sets the delay of every request from now on.
func (c *CDN) SetLatency(d time.Duration) { c.latency.Store(int64(d)) }

// Stats says what has happened so far.
func (c *CDN) Stats() Stats {
	return Stats{Hits: c.hits.Load(), Misses: c.misses.Load(), Fetches: c.fetches.Load(), Refused: c.refused.Load()}
}
