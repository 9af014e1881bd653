package gcp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/segue-audio/segue/emulators/part"
	server "github.com/segue-audio/segue/emulators/redis"
)

func TestRedisURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:6379", "http://localhost:6379", "redis://:secret@host:port/0", "redis://:secret@host:1/x"} {
		_, err := NewRedis(RedisConfig{RedisURL: url})
		if err == nil || err.Error() != "SEGUE_REDIS_URL is not of the form redis://host:port/db" {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// deaf listens and never answers; it counts who came.
func deaf(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var bytes atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				n, _ := io.Copy(io.Discard, c)
				bytes.Add(n)
			}()
		}
	}()
	return l.Addr().String(), &bytes
}

// Of a Redis that hangs, a few requests wait a moment, the rest not at all.
func TestHangingRedisIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	addr, _ := deaf(t)
	client, err := NewRedis(RedisConfig{RedisURL: "redis://" + addr + "/0"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range redisTrip {
		if err := client.Get(t.Context(), "k").Err(); err == nil || errors.Is(err, gobreaker.ErrOpenState) {
			t.Fatalf("asked a Redis that hangs: %v", err)
		}
	}
	if err := client.Get(t.Context(), "k").Err(); !errors.Is(err, gobreaker.ErrOpenState) || !strings.HasPrefix(err.Error(), "redis is away") {
		t.Errorf("the next one: %v", err)
	}
	pipe := client.Pipeline()
	get := pipe.Get(t.Context(), "k")
	if _, err := pipe.Exec(t.Context()); !errors.Is(err, gobreaker.ErrOpenState) || !errors.Is(get.Err(), gobreaker.ErrOpenState) {
		t.Errorf("a pipeline: %v, its command: %v", err, get.Err())
	}
}

// A Redis that was away is used again, by the same client, once it is back.
func TestRedisIsRestarted(t *testing.T) {
	t.Parallel()
	port, err := part.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start := func() *server.Server {
		s := server.New(server.Options{Port: port})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		return s
	}
	first := start()
	client, err := NewRedis(RedisConfig{RedisURL: first.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	until(t, "answers", func() bool { return client.Set(t.Context(), "k", "v", 0).Err() == nil })
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "is away", func() bool { return errors.Is(client.Get(t.Context(), "k").Err(), gobreaker.ErrOpenState) })
	start()
	until(t, "is back", func() bool { return errors.Is(client.Get(t.Context(), "k").Err(), redis.Nil) })
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// It is asked again after a second, by one request; an answer closes the circuit.
func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		broken := errors.New("connection refused")
		var result error
		asked := 0
		ask := b.ProcessHook(func(context.Context, redis.Cmder) error { asked++; return result })
		call := func() error { return ask(t.Context(), redis.NewCmd(t.Context(), "GET", "k")) }
		result = redis.Nil // an answer, and none that trips
		for range 5 {
			_ = call()
		}
		result = context.Canceled // a caller that left is not Redis's fault
		for range 5 {
			_ = call()
		}
		result = broken
		for range redisTrip {
			if err := call(); !errors.Is(err, broken) {
				t.Fatal(err)
			}
		}
		before := asked
		if err := call(); !errors.Is(err, gobreaker.ErrOpenState) || asked != before {
			t.Errorf("away: %v, asked %d times more", err, asked-before)
		}
		time.Sleep(redisAway + time.Millisecond) // synctest's clock
		if err := call(); !errors.Is(err, broken) || asked != before+1 {
			t.Errorf("after a second: %v, asked %d times more", err, asked-before)
		}
		result = nil
		time.Sleep(redisAway + time.Millisecond) // synctest's clock
		for range 3 {
			if err := call(); err != nil {
				t.Errorf("back: %v", err)
			}
		}
	})
}

// Callers that leave say nothing of Redis: neither that it is there between two
// failures, nor that it is back.
func TestWhoLeavesSaysNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		var result error
		ask := b.ProcessHook(func(context.Context, redis.Cmder) error { return result })
		call := func(with error) error {
			result = with
			return ask(t.Context(), redis.NewCmd(t.Context(), "GET", "k"))
		}
		broken := errors.New("connection refused")
		for range redisTrip {
			_ = call(broken)
			_ = call(context.Canceled)
		}
		if err := call(nil); !errors.Is(err, gobreaker.ErrOpenState) {
			t.Errorf("failures with who left between them: %v", err)
		}
		time.Sleep(redisAway + time.Millisecond) // synctest's clock
		_ = call(context.Canceled)
		_ = call(broken)
		if err := call(nil); !errors.Is(err, gobreaker.ErrOpenState) {
			t.Errorf("one failure after who left: %v", err)
		}
	})
}
