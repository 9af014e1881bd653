package transcode

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/ingest"
)

var errFault = errors.New("a fault of the test")

// A bucket that fails, at whichever step: the attempt is abandoned, so that the
// next delivery need not wait for its lease.
func TestBucketFails(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"download", playbackData, playbackHashes, playbackSeek} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var failed atomic.Bool
			w.faults.set(func(r *http.Request) error {
				writes := r.Method == http.MethodPost && strings.HasSuffix(name(r), step)
				if downloads := step == "download" && r.Method == http.MethodGet && strings.Contains(r.URL.Path, w.Uploads.BucketName()); writes || downloads {
					failed.Store(true)
					return errFault
				}
				return nil
			})
			err := Transcode(t.Context(), w.request(ogg), w.Deps)
			if !failed.Load() || !errors.Is(err, errFault) {
				t.Fatalf("got %v, want the fault", err)
			}
			w.faults.set(nil)
			w.nothing(t)
			if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
				t.Fatal(err)
			}
			w.complete(t)
		})
	}
}

const playbackData, playbackHashes, playbackSeek = "/data", "/hashes", "/seek"

// name is the object that a request writes.
func name(r *http.Request) string { return r.URL.Query().Get("name") }

// A work that is cut off, as an instance that is going away cuts it, is
// abandoned too.
func TestCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.faults.set(func(r *http.Request) error {
		if strings.HasSuffix(name(r), playbackHashes) {
			cancel()
			<-r.Context().Done()
			return r.Context().Err()
		}
		return nil
	})
	if err := Transcode(ctx, w.request(ogg), w.Deps); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.faults.set(nil)
	w.nothing(t)
}

// Spanner that fails at the end leaves the attempt to its lease, since the
// commit may have come through: the next delivery waits, then takes over.
func TestSpannerFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var commits atomic.Int64
	d := w.through(t, func(_ context.Context, method string, call func() error) error {
		err := call()
		if strings.HasSuffix(method, "/Commit") && err == nil && commits.Add(1) == 2 {
			return status.Error(codes.Internal, "the answer is lost")
		}
		return err
	})
	d.renew = time.Hour // which would commit too
	if err := Transcode(t.Context(), w.request(ogg), d); spanner.ErrCode(err) != codes.Internal {
		t.Fatalf("got %v", err)
	}
	// It did come through: its row counts, and its event is the relay's to publish.
	if all := w.attempts(t); len(all) != 1 || all[0].State != ingest.Complete {
		t.Fatalf("attempts %+v", all)
	}
	if err := Transcode(t.Context(), w.request(ogg), w.Deps); err != nil {
		t.Error(err)
	}
	if n, err := w.Writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); n != 1 || err != nil {
		t.Errorf("relayed %d, %v", n, err)
	}
	w.complete(t)
}

// Spanner that is away while the work goes on: it fails at once when it ends,
// however long the renewal of the lease would still wait.
func TestRenewalDoesNotHoldTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.renew = time.Millisecond
	a, _, err := w.begin(t.Context(), w.request(ogg))
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan struct{}, 10)
	d := w.through(t, func(ctx context.Context, method string, call func() error) error {
		if !strings.HasSuffix(method, "/BeginTransaction") && !strings.HasSuffix(method, "/Commit") {
			return call()
		}
		waits <- struct{}{}
		<-ctx.Done() // until whoever asks gives up
		return status.FromContextError(ctx.Err()).Err()
	})
	_, stop := d.keepLease(context.WithoutCancel(t.Context()), a)
	<-waits
	stop()
}

// through is the world with a Spanner client whose calls go through fault.
func (w *world) through(t *testing.T, fault func(ctx context.Context, method string, call func() error) error) Deps {
	t.Helper()
	intercept := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return fault(ctx, method, func() error { return invoke(ctx, method, req, reply, cc, opts...) })
	}
	client, err := spanner.NewClientWithConfig(context.Background(), w.Writer.Spanner.DatabaseName(),
		spanner.ClientConfig{DisableNativeMetrics: true}, option.WithGRPCDialOption(grpc.WithUnaryInterceptor(intercept)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	d := w.Deps
	d.Writer = &event.Writer{Spanner: client, Publisher: w.Writer.Publisher, Now: time.Now}
	return d
}
