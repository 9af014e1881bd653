package limit

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// slow refills so slowly that a test sees none of it.
var slow = Limits{Read: redis_rate.Limit{Rate: 1, Burst: 5, Period: time.Hour}, Stream: redis_rate.Limit{Rate: 1, Burst: 2, Period: time.Hour}}

func caller() Caller {
	return Caller{Client: id.Random(), User: id.Random(), SignIn: id.Random(), Epoch: 7}
}

func refused(t *testing.T, err error, least, most time.Duration) {
	t.Helper()
	e := errs.From(err)
	if e.Code != errs.TooManyRequests || e.Reason != "rate_limited" || e.RetryAfter < least || e.RetryAfter > most {
		t.Errorf("%v, reason %q, after %s", err, e.Reason, e.RetryAfter)
	}
}

// A bucket belongs to a class, a client and a user, whichever instance is asked.
func TestBuckets(t *testing.T) {
	t.Parallel()
	client := emutest.Redis(t)
	one, other := New(client, slow), New(client, slow)
	c := caller()
	var allowed atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			l := one
			if i%2 == 0 {
				l = other
			}
			if err := l.Check(Read, c).Do(t.Context(), nil); err == nil {
				allowed.Add(1)
			} else {
				refused(t, err, time.Second, time.Hour)
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 5 {
		t.Errorf("%d of 20 went through a bucket of 5", n)
	}
	for name, free := range map[string]Check{
		"another class": one.Check(Stream, c), "another client": one.Check(Read, Caller{Client: id.Random(), User: c.User}),
		"another user": one.Check(Read, Caller{Client: c.Client, User: id.Random()}),
	} {
		if err := free.Do(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a handler asks goes along, also when it is refused.
func TestAlong(t *testing.T) {
	t.Parallel()
	client := emutest.Redis(t)
	hook := &trips{}
	client.AddHook(hook)
	c, key := caller(), id.Random()
	if err := client.Set(t.Context(), key, "v", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	// A Redis that has just started knows no script.
	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		hook.n.Store(0)
		var get *redis.StringCmd
		err := New(client, slow).Check(Stream, c).Do(t.Context(), func(p redis.Pipeliner) { get = p.Get(t.Context(), key) })
		if (i < 2) != (err == nil) || get.Val() != "v" {
			t.Errorf("%d: %v, %q", i, err, get.Val())
		}
		if n := hook.n.Load(); i > 0 && n != 1 {
			t.Errorf("%d: %d round trips", i, n)
		}
	}
}

// Tokens of a sign-in that has ended are no good, those of before an epoch.
func TestSignInsThatEnded(t *testing.T) {
	t.Parallel()
	client := emutest.Redis(t)
	l := New(client, defaults)
	c := caller()
	for first, good := range map[string]bool{"": true, "7": true, "6": true, "8": false, "x": true} {
		if first != "" {
			if err := client.Set(t.Context(), SignInKey(c.SignIn), first, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
		} else if err := client.Del(t.Context(), SignInKey(c.SignIn)).Err(); err != nil {
			t.Fatal(err)
		}
		err := l.Check(Write, c).Do(t.Context(), nil)
		if good != (err == nil) || (!good && (errs.CodeOf(err) != errs.Unauthenticated || errs.From(err).Reason != "signed_out")) {
			t.Errorf("%q: %v", first, err)
		}
	}
}

// While Redis is away, each instance limits by itself.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	client, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l, c := New(client, slow), caller()
	for i := range 7 {
		asked := false
		err := l.Check(Read, c).Do(t.Context(), func(redis.Pipeliner) { asked = true })
		if !asked {
			t.Error("what goes along is not told of")
		}
		if i < 5 && err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if i >= 5 {
			refused(t, err, time.Minute, time.Hour)
		}
	}
	if err := l.Check(Read, caller()).Do(t.Context(), nil); err != nil {
		t.Errorf("another: %v", err)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	if err := (Check{}).Do(t.Context(), nil); err == nil {
		t.Error("a check that nobody handed over passes")
	}
	if err := New(nil, slow).Check(Write, caller()).Do(t.Context(), nil); err == nil {
		t.Error("a class without a limit passes")
	}
	if got := Of(With(t.Context(), Check{class: Read})); got.class != Read {
		t.Errorf("handed over: %+v", got)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "50/500", "read=1:2": "1/2", "stream=9:9 , read=3:4": "3/4",
		"reads=1:2": `"reads" is none of read, write, stream`, "read": `"read" is not of the form read=requests a second:at once`,
		"read=0:5": "is not of the form", "read=1": "is not of the form", "read=1:-1": "is not of the form", "read=1:2,": `"" is none of`,
	} {
		l, err := Config{Limits: text}.Parse()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "SEGUE_RATE_LIMITS: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if got := l[Read]; want != fmt.Sprintf("%d/%d", got.Rate, got.Burst) {
			t.Errorf("%q: %v", text, got)
		}
		if l[Write] != defaults[Write] {
			t.Errorf("%q changes another class", text)
		}
	}
	if defaults[Read].Rate != 50 {
		t.Error("the defaults were changed")
	}
}

// trips counts round trips to Redis.
type trips struct{ n atomic.Int64 }

func (t *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmd)
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmds)
	}
}

// A Redis that does not run the limiter's script, as one that may not write, but
// answers the rest: a sign-in that has ended stays so.
func TestEndedWhereTheLimiterFails(t *testing.T) {
	t.Parallel()
	client := emutest.Redis(t)
	l, c := New(client, slow), caller()
	if err := client.LPush(t.Context(), "rate:"+string(Read)+":"+c.Client+":"+c.User, "no bucket").Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(Read, c).Do(t.Context(), nil); err != nil {
		t.Errorf("limited by itself: %v", err)
	}
	if err := client.Set(t.Context(), SignInKey(c.SignIn), c.Epoch+1, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(Read, c).Do(t.Context(), nil); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("an ended sign-in passes: %v", err)
	}
}
