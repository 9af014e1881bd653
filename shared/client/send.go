package client

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

// errNoGain is an answer after which no more is held than before.
var errNoGain = errors.New("storage holds no more than before")

// sendChunks sends what a session does not hold yet. Whenever it does not know
// what that is, it asks.
func (t *Transfer) sendChunks(ctx context.Context, target Target, resumed bool) error {
	s := &session{c: t.Client, target: target, size: t.stat.Size()}
	chunk := t.Chunk
	if chunk == 0 {
		chunk = Chunk
	}
	var held, most int64
	known := !resumed
	for tries := t.Client.attempts(); ; {
		if err := t.unchanged(); err != nil {
			return err
		}
		var now int64
		var done bool
		var err error
		// All is held and yet there is no object: that too is a question.
		asks := !known || held == s.size
		if asks {
			now, done, err = s.ask(ctx)
		} else {
			n := min(chunk, s.size-held)
			now, done, err = s.send(ctx, t.body(held, n), held, n, t.counter(held))
		}
		if done && err == nil {
			return t.unchanged()
		}
		if err == nil && now <= most && (!asks || now == s.size) {
			err = lost{errNoGain}
		}
		if err != nil {
			known = false
			t.progress(held)
			if err := tries.again(ctx, err); err != nil {
				return err
			}
			continue
		}
		if held, known = now, true; held > most {
			most = held
			tries.moved()
		}
		t.progress(held)
	}
}

// sendPlain sends the whole file until it arrives. The URL takes one object
// only, and only we have it: that it is taken, after a try whose answer was
// lost, means that this try arrived.
func (t *Transfer) sendPlain(ctx context.Context, target Target, _ bool) error {
	size := t.stat.Size()
	for tries := t.Client.attempts(); ; {
		if err := t.unchanged(); err != nil {
			return err
		}
		err := t.Client.put(ctx, target, t.body(0, size), size, t.counter(0))
		var e *Error
		if tries.failed > 0 && errors.As(err, &e) && e.Status == http.StatusPreconditionFailed {
			err = nil
		}
		if err == nil {
			return t.unchanged()
		}
		t.progress(0)
		if err := tries.again(ctx, err); err != nil {
			return err
		}
	}
}

// counter turns what one request sends into the progress of the whole.
func (t *Transfer) counter(from int64) func(int) {
	var at atomic.Int64
	at.Store(from)
	return func(n int) { t.progress(at.Add(int64(n))) }
}
