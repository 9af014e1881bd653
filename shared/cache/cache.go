// Package cache is the catalogue cache: a read-through cache of rows by key, in
// Redis, with some seconds of them in the process's own memory. A cold or lost
// Redis means slower, never wrong, and never a stampede: one instance loads a
// key once at a time.
//
// Each value carries the time at which it was known to be true, that of the
// strong read that it comes from. What changes a row leaves a tombstone of a
// later time behind, and nothing older than what is there is ever put: a reader
// that was slow cannot bring the old row back.
package cache

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

// How long what is cached may be out of date when its tombstone was lost, and
// how long at most in any case.
const (
	// TTL is the most that a value stays in Redis.
	TTL = 30 * time.Minute
	// Fresh is the most that a value stays in a process's memory, which no
	// tombstone reaches.
	Fresh = 3 * time.Second

	absentTTL    = 10 * time.Second
	tombstoneTTL = time.Minute
	// A value that was read longer ago is not put: its tombstone may have gone.
	maxAge = tombstoneTTL / 2
	jitter = 10 // percent
)

// Found is what a load says of a key: its value, or that there is none, and when
// that was so.
type Found[T any] struct {
	Value  T
	Exists bool
	At     time.Time
}

// Options of a cache.
type Options[T any] struct {
	// Kind is the first part of the keys in Redis, such as rendition.
	Kind   string
	Redis  *redis.Client
	Encode func(T) ([]byte, error)
	Decode func(key string, payload []byte) (T, error)
	// Load reads one row with a strong read; the time is that of the read.
	Load func(ctx context.Context, key string) (Found[T], error)
	// Size is how many values the process's memory holds.
	Size int
	Now  func() time.Time
}

// Cache is a cache of one kind of rows. T is shared by all who get it: nobody
// changes it.
type Cache[T any] struct {
	o       Options[T]
	memory  *expirable.LRU[string, T]
	loading singleflight.Group
}

// New makes a cache.
func New[T any](o Options[T]) *Cache[T] {
	return &Cache[T]{o: o, memory: expirable.NewLRU[string, T](o.Size, nil, Fresh)}
}

// Lookup is a key that is being looked for.
type Lookup[T any] struct {
	cache  *Cache[T]
	key    string
	value  T
	inside bool
	get    *redis.StringCmd
}

// Look looks in the process's memory, and has pipe ask Redis if it is not there.
func (c *Cache[T]) Look(ctx context.Context, pipe redis.Pipeliner, key string) *Lookup[T] {
	l := &Lookup[T]{cache: c, key: key}
	if l.value, l.inside = c.memory.Get(key); !l.inside {
		l.get = pipe.Get(ctx, c.name(key))
	}
	return l
}

// Result is the value, once pipe was executed, well or not. What Redis does not
// have, or cannot say, is loaded.
func (l *Lookup[T]) Result(ctx context.Context) (value T, exists bool, err error) {
	if l.inside {
		return l.value, true, nil
	}
	c := l.cache
	if text, err := l.get.Result(); err == nil {
		e, err := parse(text)
		switch {
		case err != nil:
			slog.WarnContext(ctx, "cache entry is not read", "kind", c.o.Kind, "error", err)
		case e.form == absent:
			return value, false, nil
		case e.form == present:
			v, err := c.o.Decode(l.key, []byte(e.payload))
			if err == nil {
				c.memory.Add(l.key, v)
				return v, true, nil
			}
			slog.WarnContext(ctx, "cache entry is not read", "kind", c.o.Kind, "error", err)
		}
	}
	return c.load(ctx, l.key)
}

// Get is Look and Result with a round trip of its own.
func (c *Cache[T]) Get(ctx context.Context, key string) (value T, exists bool, err error) {
	pipe := c.o.Redis.Pipeline()
	l := c.Look(ctx, pipe, key)
	if !l.inside {
		_, _ = pipe.Exec(ctx) // the command has its error
	}
	return l.Result(ctx)
}

func (c *Cache[T]) name(key string) string { return c.o.Kind + ":" + key }

// load is one load at a time of a key, for all who wait for it. It outlives a
// caller that gives up, since others may have joined it.
func (c *Cache[T]) load(ctx context.Context, key string) (value T, exists bool, err error) {
	result := c.loading.DoChan(key, func() (_ any, err error) {
		// Here, outside of any request, a panic would end the process.
		defer func() {
			if p := recover(); p != nil {
				slog.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				err = fmt.Errorf("load %s: %v", c.o.Kind, p)
			}
		}()
		// Whoever looked before another's load ended need not load again.
		if v, ok := c.memory.Get(key); ok {
			return Found[T]{Value: v, Exists: true}, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxAge)
		defer cancel()
		found, err := c.o.Load(ctx, key)
		if err != nil {
			return nil, err
		}
		// What was read a while ago is not kept as if it were of now.
		if found.Exists && c.o.Now().Sub(found.At) <= Fresh {
			c.memory.Add(key, found.Value)
		}
		c.put(ctx, key, found)
		return found, nil
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return value, false, r.Err
		}
		found := r.Val.(Found[T])
		return found.Value, found.Exists, nil
	case <-ctx.Done():
		return value, false, context.Cause(ctx)
	}
}

// put is best effort: without it, the next one loads again.
func (c *Cache[T]) put(ctx context.Context, key string, f Found[T]) {
	if c.o.Now().Sub(f.At) > maxAge {
		return
	}
	e, ttl := entry{at: f.At, form: absent}, absentTTL
	if f.Exists {
		payload, err := c.o.Encode(f.Value)
		if err != nil {
			slog.WarnContext(ctx, "cache entry is not written", "kind", c.o.Kind, "error", err)
			return
		}
		e.form, e.payload, ttl = present, string(payload), TTL
	}
	// Entries that were put together do not end together.
	ttl -= time.Duration(rand.Int64N(int64(ttl) * jitter / 100)) //nolint:gosec // not a secret
	if err := putNewer.Run(ctx, c.o.Redis, []string{c.name(key)}, e.String(), ttl.Milliseconds()).Err(); err != nil {
		slog.DebugContext(ctx, "cache entry is not written", "kind", c.o.Kind, "error", err)
	}
}
