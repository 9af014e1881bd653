package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

// Proxy is one store's, for tests in the same process; others use the API.
type Proxy struct{ toxi *toxiproxy.Proxy }

// Proxy finds the proxy of a store.
func (f *Faults) Proxy(name string) (Proxy, error) {
	p, err := f.toxi.Collection.Get(name)
	if err != nil {
		return Proxy{}, fmt.Errorf("store %q: %w", name, err)
	}
	return Proxy{p}, nil
}

// Slow delays what the store sends, by d each time.
func (p Proxy) Slow(d time.Duration) error {
	return p.add(fmt.Sprintf(`{"type": "latency", "stream": "downstream", "attributes": {"latency": %d}}`, d.Milliseconds()))
}

// Swallow makes a black hole: connections stay and are taken, nothing passes.
// When it ends, they are cut, as toxiproxy does.
func (p Proxy) Swallow() error {
	return p.add(`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`)
}

func (p Proxy) add(toxic string) error {
	_, err := p.toxi.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

// Cut ends all connections and refuses new ones.
func (p Proxy) Cut() { p.toxi.Stop() }

// Mend ends all faults.
func (p Proxy) Mend(ctx context.Context) error {
	p.toxi.Toxics.ResetToxics(ctx)
	if err := p.toxi.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted { //nolint:errorlint // it is returned as it is
		return err
	}
	return nil
}
