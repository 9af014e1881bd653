package emutest

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/faults"
)

// Faulty is a store behind a proxy that a test can slow, cut and mend.
type Faulty struct {
	faults.Proxy
	Addr string // host:port of the proxy
}

// Faults puts a proxy in front of the store at host:port, for one test.
func Faults(t testing.TB, store string) Faulty {
	t.Helper()
	f := faults.New(faults.Options{Stores: map[string]string{"store": store}, Log: io.Discard})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	p, err := f.Proxy("store")
	if err != nil {
		t.Fatal(err)
	}
	return Faulty{Proxy: p, Addr: f.Host("store")}
}
