package spanner

import (
	"container/list"
	"time"
)

// limits bound a table.
type limits struct {
	// readOnly and readWrite are how many open transactions are kept. Clients do
	// not say when they are done with a read-only one, and may vanish in the
	// middle of a read-write one.
	readOnly, readWrite int
	// ended is how many ended transactions are remembered.
	ended int
	// readWriteIdle is when an unused read-write transaction may be aborted.
	readWriteIdle time.Duration
	// sessionIdle is when an unused session, or the read-only transaction on it,
	// is given up.
	sessionIdle time.Duration
}

// defaultLimits follow production: Spanner aborts a transaction that idles for ten seconds. The
// emulator forgets a session that nobody used for an hour.
func defaultLimits() limits {
	return limits{
		readOnly: 1000, readWrite: 200, ended: 2000,
		readWriteIdle: 10 * time.Second, sessionIdle: 50 * time.Minute,
	}
}

// evict ends the transactions that idle and those above the limits, and gives up
// the free sessions that idle.
func (t *table) evict() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.evictLocked()
}

func (t *table) evictLocked() []string {
	var gone []string
	for len(t.free) > 0 && t.now().Sub(t.free[0].since) >= t.limits.sessionIdle {
		gone = append(gone, t.free[0].name)
		t.free = t.free[1:]
	}
	gone = append(gone, t.evictFrom(t.reads, t.limits.readOnly, t.limits.sessionIdle, nil)...)
	return append(gone, t.evictFrom(t.writes, t.limits.readWrite, t.limits.readWriteIdle, &ending{})...)
}

// A transaction with a call in flight is not idle, however old it is.
func (t *table) evictFrom(lru *list.List, limit int, idle time.Duration, how *ending) []string {
	var gone []string
	now := t.now()
	for e := lru.Front(); e != nil; {
		x := e.Value.(*transaction)
		e = e.Next()
		if now.Sub(x.used) < idle && lru.Len() <= limit {
			break
		}
		if x.calls > 0 {
			continue
		}
		t.endLocked(x, how)
		gone = append(gone, x.session)
	}
	return gone
}
