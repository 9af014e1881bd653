// Package limit keeps a client from taking more than its share: a token bucket
// per class of operations, client and user, in Redis. While Redis is away each
// instance limits by itself. The check also learns, on the same round trip, from
// which epoch on a sign-in's tokens are good, and carries what a handler wants
// to ask Redis besides.
package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/shared/errs"
)

// Class is a kind of operations that share a bucket.
type Class string

// The classes.
const (
	Read   Class = "read"
	Write  Class = "write"
	Stream Class = "stream"
)

// Caller is whose bucket it is.
type Caller struct {
	Client, User string
	// SignIn is the session of the token, "" for none; Epoch is the token's.
	SignIn string
	Epoch  int64
}

// Limiter checks callers.
type Limiter struct {
	redis  *redis.Client
	limits Limits
	local  *local
}

// New makes a limiter on Redis.
func New(client *redis.Client, limits Limits) *Limiter {
	return &Limiter{redis: client, limits: limits, local: newLocal()}
}

// SignInKey is where Redis has the first epoch of a sign-in that is good.
func SignInKey(signIn string) string { return "signin:" + signIn }

// Check is one request that is yet to be checked.
type Check struct {
	limiter *Limiter
	class   Class
	caller  Caller
}

// Check makes the check of a request.
func (l *Limiter) Check(class Class, caller Caller) Check { return Check{l, class, caller} }

// Do takes a token, or returns why the caller may not go on: too many requests,
// or a sign-in that has ended. What along queues is asked in the same round
// trip; its commands say themselves whether they were answered. A Redis that is
// away is no error.
func (c Check) Do(ctx context.Context, along func(redis.Pipeliner)) error {
	l := c.limiter
	if l == nil {
		return errors.New("a request has no rate limit")
	}
	limit := l.limits[c.class]
	if limit.IsZero() {
		return fmt.Errorf("no rate limit for %q", c.class)
	}
	trip := &roundTrip{Client: l.redis, along: along, signIn: c.caller.SignIn}
	key := string(c.class) + ":" + c.caller.Client + ":" + c.caller.User
	result, err := redis_rate.NewLimiter(trip).Allow(ctx, key, limit)
	if err != nil && ctx.Err() != nil {
		return errs.Wrap(err, errs.Unavailable, "the request was given up")
	}
	// Also where the limiter failed: a Redis that takes no writes has the epoch.
	if err := c.signedIn(trip.epoch); err != nil {
		return err
	}
	if err != nil {
		slog.DebugContext(ctx, "rate limit without redis", "error", err)
		return c.refuse(l.local.allow(key, limit))
	}
	return c.refuse(result.Allowed > 0, result.RetryAfter)
}

func (c Check) refuse(allowed bool, after time.Duration) error {
	if allowed {
		return nil
	}
	e := errs.New(errs.TooManyRequests, "too many requests of this client for this user; try again in %d s", seconds(after)).Because("rate_limited")
	e.RetryAfter = after
	return e
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func (c Check) signedIn(cmd *redis.StringCmd) error {
	if cmd == nil || cmd.Err() != nil {
		return nil // never ended, or not known
	}
	if first, err := strconv.ParseInt(cmd.Val(), 10, 64); err == nil && c.caller.Epoch < first {
		return errs.New(errs.Unauthenticated, "invalid access token: its sign-in has ended").Because("signed_out")
	}
	return nil
}

// roundTrip runs the limiter's script in a pipeline with everything else that
// the request asks. Only redis_rate's script is ever run by it.
type roundTrip struct {
	*redis.Client

	along  func(redis.Pipeliner)
	signIn string
	epoch  *redis.StringCmd
}

// EvalSha implements redis.Scripter.
func (t *roundTrip) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return t.run(ctx, func(p redis.Pipeliner) *redis.Cmd { return p.EvalSha(ctx, sha, keys, args...) })
}

// Eval is asked when Redis has forgotten the script: all is asked again.
func (t *roundTrip) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return t.run(ctx, func(p redis.Pipeliner) *redis.Cmd { return p.Eval(ctx, script, keys, args...) })
}

func (t *roundTrip) run(ctx context.Context, script func(redis.Pipeliner) *redis.Cmd) *redis.Cmd {
	pipe := t.Pipeline()
	cmd := script(pipe)
	if t.signIn != "" {
		t.epoch = pipe.Get(ctx, SignInKey(t.signIn))
	}
	if t.along != nil {
		t.along(pipe)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	return cmd
}
