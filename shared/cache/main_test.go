package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// rows is what is cached: the one copy that is true.
type rows struct {
	mu    sync.Mutex
	value map[string]string
	loads int
	err   error
	// during, if not nil, runs between the read and its return.
	during func()
}

func (r *rows) load(_ context.Context, key string) (Found[string], error) {
	r.mu.Lock()
	r.loads++
	v, ok := r.value[key]
	f, err, during := Found[string]{v, ok, time.Now()}, r.err, r.during
	r.mu.Unlock()
	if during != nil {
		during()
	}
	return f, err
}

func (r *rows) set(key, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value[key] = value
}

func (r *rows) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loads
}

// world is rows, Redis, and instances that cache them.
type world struct {
	rows  *rows
	redis *redis.Client
	kind  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{&rows{value: map[string]string{"a": "one"}}, emutest.Redis(t), id.Random()}
}

func (w *world) instance(client *redis.Client) *Cache[string] {
	return New(Options[string]{
		Kind: w.kind, Redis: client, Load: w.rows.load, Size: 100, Now: time.Now,
		Encode: func(s string) ([]byte, error) { return []byte(s), nil },
		Decode: func(_ string, b []byte) (string, error) {
			if strings.HasPrefix(string(b), "\x00") {
				return "", errors.New("not text")
			}
			return string(b), nil
		},
	})
}

func (w *world) forget(t *testing.T, key string) {
	t.Helper()
	if err := Forget(t.Context(), w.redis, w.kind, time.Now(), key); err != nil {
		t.Fatal(err)
	}
}

// want asks an instance.
func want(t *testing.T, c *Cache[string], key, value string) {
	t.Helper()
	got, exists, err := c.Get(t.Context(), key)
	if err != nil || got != value || exists != (value != "") {
		t.Errorf("%s is %q, %t, %v, want %q", key, got, exists, err, value)
	}
}

// nowhere is a Redis that refuses connections.
func nowhere(t *testing.T) *redis.Client {
	t.Helper()
	client, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
