package spanner

import "cloud.google.com/go/spanner/apiv1/spannerpb"

// ending is how a read-write transaction ended: with this answer to its commit,
// or aborted if there is none.
type ending struct{ commit *spannerpb.CommitResponse }

// ended remembers the last transactions that ended, so that a call which comes
// late, or again because its answer was lost, is answered as Spanner does.
type ended struct {
	size int
	how  map[string]*ending
	ring []string // from next on: the oldest first
	next int
}

func newEnded(size int) ended { return ended{size: size, how: map[string]*ending{}} }

func (e *ended) find(id string) *ending { return e.how[id] }

func (e *ended) add(id string, how *ending) {
	e.how[id] = how
	if len(e.ring) < e.size {
		e.ring = append(e.ring, id)
		return
	}
	delete(e.how, e.ring[e.next])
	e.ring[e.next] = id
	e.next = (e.next + 1) % e.size
}

// ending returns how a transaction ended, or nil if it is not known to have.
func (t *table) ending(id string) *ending {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended.find(id)
}
