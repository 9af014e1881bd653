package gcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// RedisConfig says where Redis is: redis://host:port/db, or rediss:// for TLS.
type RedisConfig struct {
	RedisURL string `env:"SEGUE_REDIS_URL, required"`
}

// What a request waits for Redis. All that is in Redis is also elsewhere, so to
// wait for long would be worse than to do without.
const (
	redisDial    = 300 * time.Millisecond
	redisAnswer  = 200 * time.Millisecond
	redisTrip    = 3           // failures in a row, after which it counts as away
	redisAway    = time.Second // how long it is then not asked
	redisPool    = 100         // more than any function's concurrency
	redisMinIdle = 2
	redisBuffer  = 4 << 10
)

var (
	redisMu     sync.Mutex
	redisShared = map[RedisConfig]*redis.Client{}
)

// Redis is the process's client for a configuration. It connects when it is
// first used, so that a function starts while Redis is away.
func Redis(c RedisConfig) (*redis.Client, error) {
	redisMu.Lock()
	defer redisMu.Unlock()
	if client := redisShared[c]; client != nil {
		return client, nil
	}
	client, err := NewRedis(c)
	if err != nil {
		return nil, err
	}
	redisShared[c] = client
	return client, nil
}

// NewRedis makes a client that never holds a request up for long: after three
// failures in a row it fails at once, and asks Redis again after a second.
func NewRedis(c RedisConfig) (*redis.Client, error) {
	o, err := redis.ParseURL(c.RedisURL)
	if err != nil {
		// Its own error would show the password.
		return nil, errors.New("SEGUE_REDIS_URL is not of the form redis://host:port/db")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisDial, redisAnswer, redisAnswer, redisDial
	o.PoolSize, o.MinIdleConns, o.MaxRetries, o.ContextTimeoutEnabled = redisPool, redisMinIdle, -1, true
	o.DialerRetries = 1
	// Most answers are below 1 kB; the default would be most of an instance's heap.
	o.ReadBufferSize, o.WriteBufferSize = redisBuffer, redisBuffer
	quietOnce.Do(func() { redis.SetLogger(debugLogger{}) })
	client := redis.NewClient(o)
	// The statements are left out of the spans: they carry who plays what.
	if err := redisotel.InstrumentTracing(client, redisotel.WithDBStatement(false)); err != nil {
		return nil, errors.Join(fmt.Errorf("trace Redis: %w", err), client.Close())
	}
	client.AddHook(newBreaker())
	return client, nil
}

var quietOnce sync.Once

// debugLogger takes the library's lines on its pool: that Redis is away is told
// once, by the breaker.
type debugLogger struct{}

func (debugLogger) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis: "+fmt.Sprintf(format, v...))
}

// breaker keeps requests from a Redis that is away.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
}

func newBreaker() breaker {
	return breaker{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Timeout: redisAway,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= redisTrip },
		IsSuccessful:  func(err error) bool { return !away(err) },
		IsExcluded:    func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: stateChanged,
	})}
}

func stateChanged(_ string, _, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		slog.Warn("redis is away")
	case gobreaker.StateClosed:
		slog.Info("redis is back")
	case gobreaker.StateHalfOpen:
	}
}

// away tells a Redis that does not answer from one that answers with an error.
func away(err error) bool {
	var said redis.Error
	return err != nil && !errors.As(err, &said)
}

func (breaker) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (b breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if greets(cmd) {
			return next(ctx, cmd)
		}
		_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, next(ctx, cmd) })
		return fail(err, cmd)
	}
}

func (b breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if greets(cmds...) {
			return next(ctx, cmds)
		}
		_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, next(ctx, cmds) })
		return fail(err, cmds...)
	}
}

// greets says whether this is how a new connection begins. It passes the same
// hooks, inside the command that needs the connection: counted, it would fill
// the place of the one request that may ask whether Redis is back.
func greets(cmds ...redis.Cmder) bool {
	for _, c := range cmds {
		switch c.Name() {
		case "hello", "auth", "select", "client", "readonly":
		default:
			return false
		}
	}
	return true
}

// fail tells the commands that they were not sent: what reads their results
// would otherwise find zero values.
func fail(err error, cmds ...redis.Cmder) error {
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = fmt.Errorf("redis is away: %w", err)
		for _, c := range cmds {
			c.SetErr(err)
		}
	}
	return err
}
