package stream

import (
	"context"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/redis/go-redis/v9"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

func soon() time.Time { return time.Now().Add(ttl) }

// calls are those that go to Spanner.
type calls struct {
	mu     sync.Mutex
	names  []string
	refuse atomic.Bool // as a Spanner that is away
}

var errAway = status.Error(codes.Unavailable, "away")

func (c *calls) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = append(c.names, path.Base(method))
}

func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.names
	c.names = nil
	return taken
}

// counted replaces the world's client by one whose calls are counted.
func (w *world) counted(t *testing.T) *calls {
	t.Helper()
	c := &calls{}
	unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		c.add(method)
		if c.refuse.Load() {
			return errAway
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	stream := func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		c.add(method)
		if c.refuse.Load() {
			return nil, errAway
		}
		return open(ctx, d, cc, method, opts...)
	}
	client, err := spanner.NewClientWithConfig(t.Context(), w.client.DatabaseName(), spanner.ClientConfig{DisableNativeMetrics: true},
		option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(unary)), option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(stream)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.deps.Renditions, w.deps.Catalog = playback.NewCachedStore(&playback.Store{Spanner: client}, w.redis), &catalog.Store{Spanner: client}
	return c
}

// A press of play costs one round trip to Redis, and one more where it
// displaces another, a rendition that nobody played
// lately one read by key, and nothing costs SQL.
func TestWhatAStreamCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, calls, trips := w.add(t, 1, nil), w.counted(t), w.trips()
	album := id.URI("album", s.album)
	nobody, presses := id.Random(), listener(playback.Free)
	other := presses
	other.Session = id.Random()
	for _, c := range []struct {
		name    string
		caller  httpapi.Caller
		request Request
		code    errs.Code
		reads   int
		trips   int
	}{
		{"cold", free, Request{ID: s.track}, "", 1, 2},
		{"warm", free, Request{ID: s.track}, "", 0, 1},
		{"another rendition", free, Request{ID: s.track, Quality: "96"}, "", 1, 2},
		{"an album", free, Request{ID: s.track, Context: album}, "", 1, 1},
		{"a playlist", free, Request{ID: s.track, Context: id.URI("playlist", lemonade)}, "", 0, 1},
		{"unknown", free, Request{ID: nobody, Context: album}, errs.NotFound, 1, 2},
		{"known to be unknown", free, Request{ID: nobody, Context: album}, errs.NotFound, 0, 1},
		{"no id", free, Request{ID: "x"}, errs.NotFound, 0, 1},
		{"not allowed", free, Request{ID: s.track, Quality: "320"}, errs.Forbidden, 0, 1},
		{"a sign-in's first press", presses, Request{ID: s.track}, "", 0, 1},
		{"its next", presses, Request{ID: s.track}, "", 0, 1},
		{"a press that displaces it", other, Request{ID: s.track}, "", 0, 2},
		{"a prefetch", listener(playback.Free), Request{ID: s.track, Prefetch: true}, "", 0, 1},
	} {
		calls.take()
		trips.n.Store(0)
		_, err := w.play(t.Context(), c.caller, c.request)
		reads := slices.DeleteFunc(calls.take(), func(name string) bool { return name == "CreateSession" })
		if errs.CodeOf(err) != c.code || !slices.Equal(reads, slices.Repeat([]string{"StreamingRead"}, c.reads)) {
			t.Errorf("%s: %v, calls %v, want %d reads", c.name, err, reads, c.reads)
		}
		if n := trips.n.Load(); n != int64(c.trips) {
			t.Errorf("%s: %d round trips to Redis, want %d", c.name, n, c.trips)
		}
	}
}

// trips counts round trips to Redis.
type trips struct{ n atomic.Int64 }

func (w *world) trips() *trips {
	t := &trips{}
	w.redis.AddHook(t)
	return t
}

func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.count(cmd)
		return next(ctx, cmd)
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.count(cmds[0])
		return next(ctx, cmds)
	}
}

// A new connection's greeting is not what is counted.
func (t *trips) count(cmd redis.Cmder) {
	if cmd.Name() != "hello" && cmd.Name() != "client" {
		t.n.Add(1)
	}
}

// BenchmarkStream includes the emulator's read, which most of its time goes to.
func BenchmarkStream(b *testing.B) {
	w := newWorld(b)
	s := w.add(b, 1, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.play(b.Context(), premium, Request{ID: s.track, Format: "aac", Quality: "320"}); err != nil {
			b.Fatal(err)
		}
	}
}
