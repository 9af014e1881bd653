// Package faults puts a toxiproxy in front of each store, so that a store can be
// slowed, cut off and brought back while Segue works. It decides nothing about
// when: whoever has its API does, a person with curl or a test.
// https://github.com/Shopify/toxiproxy#http-api
package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/segue-audio/segue/emulators/part"
)

// Options of the proxies.
type Options struct {
	Port   int               // of the API; 0 takes any free one
	Stores map[string]string // host:port of each store, by the proxy's name
	Log    io.Writer
}

// Faults are the proxies and their API, as one part.
type Faults struct {
	options Options
	toxi    *toxiproxy.ApiServer
	api     *part.Server
}

// New makes the part; Start starts it.
func New(o Options) *Faults {
	log := zerolog.New(o.Log).Level(zerolog.ErrorLevel)
	return &Faults{options: o, toxi: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), log)}
}

// Name is what the log calls it.
func (f *Faults) Name() string { return "faults" }

// Start opens a proxy for each store, then the API.
func (f *Faults) Start(ctx context.Context) (err error) {
	for _, name := range slices.Sorted(maps.Keys(f.options.Stores)) {
		if err := f.open(ctx, name, f.options.Stores[name]); err != nil {
			return errors.Join(err, f.toxi.Collection.Clear())
		}
	}
	f.api, err = part.StartServer(ctx, f.Name(), f.options.Port, f.toxi.Routes())
	if err != nil {
		return errors.Join(err, f.toxi.Collection.Clear())
	}
	return nil
}

// The proxies' ports lie below those that systems give to outgoing connections.
// While a store is cut off, nobody listens on its proxy's, and one that a client's
// own connection could take would not be there to come back to.
const firstPort, lastPort = 20000, 32000

// tries is how many ports are tried: next to all of them are free.
const tries = 50

func (f *Faults) open(ctx context.Context, name, upstream string) error {
	if _, _, err := net.SplitHostPort(upstream); err != nil {
		return fmt.Errorf("store %s: %q is not host:port: %w", name, upstream, err)
	}
	var last error
	for range tries {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // any port will do
		p := toxiproxy.NewProxy(f.toxi, name, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), upstream)
		if last = f.toxi.Collection.Add(p, true); last == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("proxy of %s: %w", name, last)
}

// Host is host:port of a store's proxy, whatever is wrong with it now.
func (f *Faults) Host(name string) string {
	p, err := f.toxi.Collection.Get(name)
	if err != nil {
		return ""
	}
	return p.Listen
}

// URL is the base URL of toxiproxy's API.
func (f *Faults) URL() string { return f.api.URL() }

// Health asks the API. A fault that somebody asked for is none of the part's.
func (f *Faults) Health(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL()+"/version", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("toxiproxy answers %s", resp.Status)
	}
	return nil
}

// Failed delivers an error when the API ends by itself.
func (f *Faults) Failed() <-chan error {
	if f.api == nil {
		return nil
	}
	return f.api.Failed()
}

// Stop ends the API, then the proxies with what is connected through them.
func (f *Faults) Stop(ctx context.Context) error {
	if f.api == nil {
		return nil
	}
	return errors.Join(f.api.Stop(ctx), f.toxi.Collection.Clear())
}
