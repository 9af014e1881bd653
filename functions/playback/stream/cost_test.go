package stream

import (
	"context"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

func soon() time.Time { return time.Now().Add(ttl) }

// calls are those that go to Spanner.
type calls struct {
	mu    sync.Mutex
	names []string
}

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
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	stream := func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		c.add(method)
		return open(ctx, d, cc, method, opts...)
	}
	client, err := spanner.NewClientWithConfig(t.Context(), w.client.DatabaseName(), spanner.ClientConfig{DisableNativeMetrics: true},
		option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(unary)), option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(stream)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.deps.Renditions, w.deps.Catalog = &playback.Store{Spanner: client}, &catalog.Store{Spanner: client}
	return c
}

// A press of play costs one read by key, and no SQL.
func TestStreamReadsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	calls := w.counted(t)
	if _, err := play(t.Context(), w.deps, free, Request{ID: s.track}); err != nil { // with the client's session
		t.Fatal(err)
	}
	calls.take()
	album := id.URI("album", s.album)
	for name, c := range map[string]struct {
		request Request
		code    errs.Code
		want    int
	}{
		"no context":  {Request{ID: s.track}, "", 1},
		"an album":    {Request{ID: s.track, Context: album}, "", 2},
		"a playlist":  {Request{ID: s.track, Context: id.URI("playlist", lemonade)}, "", 1},
		"unknown":     {Request{ID: id.Random(), Context: album}, errs.NotFound, 1},
		"no id":       {Request{ID: "x"}, errs.NotFound, 0},
		"not allowed": {Request{ID: s.track, Quality: "320"}, errs.Forbidden, 0},
	} {
		_, err := play(t.Context(), w.deps, free, c.request)
		if got := calls.take(); errs.CodeOf(err) != c.code || !slices.Equal(got, slices.Repeat([]string{"StreamingRead"}, c.want)) {
			t.Errorf("%s: %v, calls %v, want %d reads", name, err, got, c.want)
		}
	}
}

// BenchmarkStream includes the emulator's read, which most of its time goes to.
func BenchmarkStream(b *testing.B) {
	w := newWorld(b)
	s := w.add(b, 1, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := play(b.Context(), w.deps, premium, Request{ID: s.track, Format: "aac", Quality: "320"}); err != nil {
			b.Fatal(err)
		}
	}
}
