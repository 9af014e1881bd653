package redis

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func started(t *testing.T) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := New(Options{})
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func TestServes(t *testing.T) {
	t.Parallel()
	s := started(t)
	o, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Set(t.Context(), "k", "v", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Eval(t.Context(), "return redis.call('GET', KEYS[1])", []string{"k"}).Result(); err != nil || got != "v" {
		t.Errorf("%v, %v", got, err)
	}
	// Without an expiry a key is not evicted: only what can be rebuilt has one.
	if got, err := c.ConfigGet(t.Context(), "maxmemory-policy").Result(); err != nil || got["maxmemory-policy"] != "volatile-lru" {
		t.Errorf("%v, %v", got, err)
	}
	pid := s.process.PID()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("after its stop, the process: %v", err)
	}
	if err := s.Health(t.Context()); err == nil {
		t.Error("a stopped server is well")
	}
}

func TestTellsOfItsEnd(t *testing.T) {
	t.Parallel()
	s := started(t)
	if err := syscall.Kill(s.process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "redis ended by itself") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it did not tell")
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	err := New(Options{Program: "no-such-redis"}).Start(t.Context())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Error(err)
	}
}
