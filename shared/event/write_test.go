package event_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/telemetry"
)

func TestWriteCommitsRowsAndEventsTogether(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	now := time.Date(2026, 3, 1, 12, 0, 59, 123456789, time.FixedZone("CET", 3600))
	w.Now = func() time.Time { return now }
	trace := telemetry.NewTrace()
	artist := newID()
	if err := w.Write(telemetry.WithTrace(t.Context(), trace), adding(artist)); err != nil {
		t.Fatal(err)
	}
	all := emutest.Received(t, topics, topic)
	if got := names(t, all); !slices.Equal(got, []string{artist}) {
		t.Fatalf("events arrived of %v", got)
	}
	a := all[0].GetMessage().GetAttributes()
	if a["traceparent"] != trace.Traceparent() || a["time"] != "2026-03-01T11:00:59.123456789Z" || len(a["id"]) != 36 {
		t.Errorf("attributes are %v", a)
	}
	if n := count(t, w.Spanner, "Artists", "ArtistId"); n != 1 {
		t.Errorf("%d rows are written", n)
	}
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox keeps %v", left)
	}
}

func TestWriteWithoutEventsPublishesNothing(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	quiet := func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		_, err := adding("a")(ctx, tx)
		return nil, err
	}
	if err := w.Write(t.Context(), quiet); err != nil || count(t, w.Spanner, "Artists", "ArtistId") != 1 {
		t.Errorf("Write = %v", err)
	}
	if got := emutest.Received(t, topics, topic); len(got) != 0 {
		t.Errorf("events arrived: %v", got)
	}
}

func TestFailedTransactionTellsNothing(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		change change
		want   string
	}{
		"the change fails": {func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
			events, _ := adding("a")(ctx, tx)
			return events, refused
		}, "refused"},
		"the commit fails": {func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
			events, _ := adding("b")(ctx, tx)
			_, err := adding("b")(ctx, tx)
			return events, err
		}, "AlreadyExists"},
		"an event is incomplete": {func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
			events, err := adding("c")(ctx, tx)
			return append(events, &eventpb.CatalogChanged{Kind: "artist"}), err
		}, "event CatalogChanged: id is empty"},
	} {
		if err := w.Write(t.Context(), c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Write = %v", name, err)
		}
	}
	if n := count(t, w.Spanner, "Artists", "ArtistId"); n != 0 {
		t.Errorf("%d rows are written", n)
	}
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox has %v", left)
	}
	if got := emutest.Received(t, topics, topic); len(got) != 0 {
		t.Errorf("events arrived: %v", got)
	}
}

// intercepted gives the writer a client whose commits go through commit.
func intercepted(t *testing.T, w *event.Writer, commit func(ctx context.Context, r *spannerpb.CommitRequest, cc *grpc.ClientConn, invoke func() error) error) {
	t.Helper()
	interceptor := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		do := func() error { return invoke(ctx, method, req, reply, cc, opts...) }
		if r, ok := req.(*spannerpb.CommitRequest); ok && len(r.GetTransactionId()) > 0 {
			return commit(ctx, r, cc, do)
		}
		return do()
	}
	client, err := spanner.NewClientWithConfig(t.Context(), w.Spanner.DatabaseName(), spanner.ClientConfig{DisableNativeMetrics: true},
		option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(interceptor)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.Spanner = client
}

// A transaction that is tried again draws its events anew: those of the first
// try never came true.
func TestAbortedTryTellsNothing(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	var tries atomic.Int32
	intercepted(t, w, func(ctx context.Context, r *spannerpb.CommitRequest, cc *grpc.ClientConn, invoke func() error) error {
		if tries.Add(1) > 1 {
			return invoke()
		}
		_, err := spannerpb.NewSpannerClient(cc).Rollback(ctx, &spannerpb.RollbackRequest{Session: r.GetSession(), TransactionId: r.GetTransactionId()})
		if err != nil {
			return err
		}
		return status.Error(codes.Aborted, "by the test")
	})
	artist := newID()
	if err := w.Write(t.Context(), adding(artist)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, emutest.Received(t, topics, topic)); !slices.Equal(got, []string{artist}) || tries.Load() < 2 {
		t.Errorf("after %d tries, events arrived of %v", tries.Load(), got)
	}
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox keeps %v", left)
	}
}

// What is committed is told of, even if nobody waits for the answer any more.
func TestClientThatLeavesTakesNoEventAlong(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	intercepted(t, w, func(_ context.Context, _ *spannerpb.CommitRequest, _ *grpc.ClientConn, invoke func() error) error {
		err := invoke()
		if err == nil {
			cancel()
		}
		return err
	})
	if err := w.Write(ctx, adding(newID())); err != nil {
		t.Fatal(err)
	}
	if got := emutest.Received(t, topics, topic); len(got) != 1 || ctx.Err() == nil {
		t.Errorf("%d events arrived, the context is %v", len(got), ctx.Err())
	}
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox keeps %v", left)
	}
}
