package spanner

import (
	"container/list"
	"sync"
	"time"
)

// kind is a transaction's mode.
type kind int

const (
	readOnly kind = iota
	readWrite
	partitionedDML
)

// transaction is an open transaction and the session it has to itself.
type transaction struct {
	id      string
	session string
	kind    kind
	calls   int // in flight
	used    time.Time
	element *list.Element
	ended   bool
	// discard says that the session must not be used again.
	discard bool
}

type freeSession struct {
	name  string
	since time.Time
}

// table maps the transactions of one multiplexed session to ordinary sessions.
// It makes no calls: its methods return the sessions that the caller must delete.
type table struct {
	limits limits
	now    func() time.Time

	mu     sync.Mutex
	closed bool
	free   []freeSession // a stack: the last one used is on top
	open   map[string]*transaction
	// Least recently used first; partitioned DML counts as read-write.
	reads, writes *list.List
	ended         ended
}

func newTable(l limits, now func() time.Time) *table {
	return &table{
		limits: l, now: now, open: map[string]*transaction{},
		reads: list.New(), writes: list.New(), ended: newEnded(l.ended),
	}
}

// take returns a free session, or "" if one must be created.
func (t *table) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		return ""
	}
	top := t.free[len(t.free)-1]
	if t.now().Sub(top.since) >= t.limits.sessionIdle {
		return ""
	}
	t.free = t.free[:len(t.free)-1]
	return top.name
}

// give returns a session on which nothing runs.
func (t *table) give(session string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.giveLocked(session)
}

func (t *table) giveLocked(session string) []string {
	if t.closed {
		return []string{session}
	}
	t.free = append(t.free, freeSession{name: session, since: t.now()})
	return nil
}

// begin maps a new transaction to its session, with one call in flight.
func (t *table) begin(id, session string, k kind) (*transaction, []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := &transaction{id: id, session: session, kind: k, calls: 1, used: t.now()}
	if t.closed {
		x.ended, x.discard = true, true
		return x, nil
	}
	t.open[id] = x
	x.element = t.lru(k).PushBack(x)
	return x, t.evictLocked()
}

// use returns an open transaction and counts a call on it. For one that has
// ended it returns how, and for one that never was, nil.
func (t *table) use(id string) (*transaction, *ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.open[id]
	if x == nil {
		return nil, t.ended.find(id)
	}
	x.calls++
	t.touch(x)
	return x, nil
}

// done ends a call on a transaction. The session of an ended transaction is
// free once its last call is.
func (t *table) done(x *transaction) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.calls--
	if !x.ended {
		t.touch(x)
		return nil
	}
	if x.calls > 0 {
		return nil
	}
	return t.leaveLocked(x)
}

// end takes a transaction, on which the caller has a call, out of the table.
// how may be nil: then nothing is remembered of it.
func (t *table) end(x *transaction, how *ending, discard bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.discard = x.discard || discard
	t.endLocked(x, how)
}

// close ends everything. Calls in flight give their sessions up as they end.
func (t *table) close() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	var gone []string
	for _, f := range t.free {
		gone = append(gone, f.name)
	}
	t.free = nil
	for _, x := range t.open {
		t.endLocked(x, nil)
		x.discard = true
		if x.calls == 0 {
			gone = append(gone, x.session)
		}
	}
	return gone
}

func (t *table) endLocked(x *transaction, how *ending) {
	if x.ended {
		return
	}
	x.ended = true
	delete(t.open, x.id)
	t.lru(x.kind).Remove(x.element)
	if how != nil {
		t.ended.add(x.id, how)
	}
}

func (t *table) leaveLocked(x *transaction) []string {
	if x.discard {
		return []string{x.session}
	}
	return t.giveLocked(x.session)
}

func (t *table) touch(x *transaction) {
	x.used = t.now()
	t.lru(x.kind).MoveToBack(x.element)
}

func (t *table) lru(k kind) *list.List {
	if k == readOnly {
		return t.reads
	}
	return t.writes
}
