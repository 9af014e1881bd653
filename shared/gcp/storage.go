package gcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"cloud.google.com/go/storage"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// silent is how long nothing may move on a connection to Cloud Storage on which
// something is under way. A limit to the whole of a request would end long
// uploads too.
const silent = 10 * time.Second

// cloudPlatform lets the client sign through IAM.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// NewStorage makes a Cloud Storage client. With an emulator it sends the run's
// bearer, SEGUE_STORAGE_BEARER, since the local buckets are as private as the
// real ones, over a transport with the spans that the library's own has.
func NewStorage(ctx context.Context, opts ...option.ClientOption) (*storage.Client, error) {
	var (
		transport http.RoundTripper
		err       error
		base      = newTransport(silent)
	)
	if os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		transport = otelhttp.NewTransport(Bearer{Token: os.Getenv("SEGUE_STORAGE_BEARER"), Base: base})
	} else if transport, err = htransport.NewTransport(ctx, base, option.WithScopes(storage.ScopeFullControl, cloudPlatform)); err != nil {
		return nil, fmt.Errorf("connect to Cloud Storage: %w", err)
	}
	client, err := storage.NewClient(ctx, append(opts, option.WithHTTPClient(&http.Client{Transport: transport}))...)
	if err != nil {
		return nil, fmt.Errorf("connect to Cloud Storage: %w", err)
	}
	client.SetRetry(storage.WithBackoff(pause()))
	return client, nil
}

// newTransport is Go's transport over connections on which something moves.
func newTransport(silent time.Duration) *http.Transport {
	t, _ := http.DefaultTransport.(*http.Transport)
	t = cmp.Or(t, &http.Transport{}).Clone()
	dialer := &net.Dialer{Timeout: dial, KeepAlive: quiet}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: c, silent: silent}, nil
	}
	t.TLSHandshakeTimeout, t.MaxIdleConnsPerHost = dial, t.MaxIdleConns
	// Before its silence would end it: it may be given to a request just then.
	t.IdleConnTimeout = silent / 2
	return t
}

// watched is a connection that ends when nothing moves on it in either
// direction: a download that stalls, an upload that is not taken, an answer that
// does not come. While one direction moves the other may wait.
type watched struct {
	net.Conn
	silent time.Duration
}

func (c *watched) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silent)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	return n, c.ended(err)
}

func (c *watched) Write(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silent)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	return n, c.ended(err)
}

// ended makes of a silence what the library takes for a connection that broke.
func (c *watched) ended(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("nothing moved for %s: %w", c.silent, net.ErrClosed)
	}
	return err
}

// Bearer is a transport that adds a bearer token to each request.
type Bearer struct {
	Token string
	Base  http.RoundTripper
}

// RoundTrip sends a copy of r with the token.
func (b Bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.Token)
	return b.Base.RoundTrip(r)
}
