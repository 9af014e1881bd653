package drain

import (
	"sync"
	"time"
)

// gate counts those who are inside. Closed, it lets out and not in.
type gate struct {
	mu     sync.Mutex
	inside int
	empty  chan struct{} // of a closed gate: closed when the last one left
	end    chan struct{} // closed with the gate; nil until somebody asks for it
}

func (g *gate) enter() (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return func() {}, false
	}
	g.inside++
	return sync.OnceFunc(g.leave), true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.empty != nil && g.inside == 0 {
		close(g.empty)
	}
}

// close lets nobody in any more and says whether all left within limit, which
// is as long as the platform would wait.
func (g *gate) close(limit time.Duration) (idle bool) {
	g.mu.Lock()
	if g.empty == nil {
		g.empty = make(chan struct{})
		if g.end != nil {
			close(g.end)
		}
		if g.inside == 0 {
			close(g.empty)
		}
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return true
	case <-time.After(limit):
		return false
	}
}

// ending is closed when the end begins.
func (g *gate) ending() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.end == nil {
		g.end = make(chan struct{})
		if g.empty != nil {
			close(g.end)
		}
	}
	return g.end
}
