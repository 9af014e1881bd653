package gcp_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// forgetful is a firewall in front of a store: it can forget the connections that
// there are, which then carry nothing any more and are told nothing. New ones
// pass. (toxiproxy ends the connections of a fault with it.)
type forgetful struct {
	Addr string
	era  atomic.Int64
}

func forget(t *testing.T, upstream string) *forgetful {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forgetful{Addr: l.Addr().String()}
	var (
		mu   sync.Mutex
		open []net.Conn
		all  sync.WaitGroup
	)
	pass := func(to, from net.Conn) {
		born := f.era.Load()
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			if f.era.Load() != born {
				drop(from, b)
				return
			}
			if n > 0 {
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
			if err != nil {
				_ = to.Close()
				return
			}
		}
	}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", upstream)
			if err != nil {
				_ = c.Close()
				return
			}
			mu.Lock()
			open = append(open, c, s)
			mu.Unlock()
			all.Go(func() { pass(s, c) })
			all.Go(func() { pass(c, s) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return f
}

// drop drops what still comes.
func drop(from net.Conn, b []byte) {
	for {
		if _, err := from.Read(b); err != nil {
			return
		}
	}
}
