package relay

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/registry"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// leave writes events, at a time, while Pub/Sub is away.
func leave(t *testing.T, w *event.Writer, now time.Time, n int) {
	t.Helper()
	port, err := part.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	away, err := pubsub.NewClient(t.Context(), "away", option.WithEndpoint(fmt.Sprintf("127.0.0.1:%d", port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = away.Close() })
	cut := &event.Writer{Spanner: w.Spanner, Publisher: event.NewPublisher(away), Now: func() time.Time { return now }}
	err = cut.Write(t.Context(), func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		all := make([]proto.Message, n)
		for i := range all {
			all[i] = &eventpb.CatalogChanged{Kind: "track", Id: fmt.Sprint(i)}
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRelayEmptiesTheOutbox(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	now := time.Date(2026, 3, 1, 12, 30, 30, 0, time.UTC)
	w.Now = func() time.Time { return now }
	const many = 620 // more than a page, in some shard or other
	leave(t, w, now.Add(-2*time.Minute), many)
	leave(t, w, now.Add(-20*time.Second), 1)
	got, err := Relay(t.Context(), w)
	if err != nil || len(got) != 1 || got["published"] != many {
		t.Errorf("Relay = %v, %v", got, err)
	}
	seen := map[string]int{}
	for _, r := range emutest.Received(t, topics, "catalog-changed") {
		seen[r.GetMessage().GetAttributes()["id"]]++
	}
	if len(seen) != many {
		t.Errorf("%d events arrived", len(seen))
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("event %s arrived %d times", id, n)
		}
	}
	// The young one is its function's to publish, until its minute is over.
	if got, err := Relay(t.Context(), w); err != nil || got["published"] != 0 {
		t.Errorf("Relay = %v, %v", got, err)
	}
	now = now.Add(2 * time.Minute)
	if got, err := Relay(t.Context(), w); err != nil || got["published"] != 1 {
		t.Errorf("Relay = %v, %v", got, err)
	}
}

func TestRelayTellsOfFailure(t *testing.T) {
	t.Parallel()
	w, _ := emutest.Writer(t)
	w.Now = time.Now
	leave(t, w, time.Now().Add(-3*time.Minute), 2)
	w.Publisher = event.NewPublisher(elsewhere(t))
	if got, err := Relay(t.Context(), w); err == nil || got["published"] != 0 {
		t.Errorf("Relay = %v, %v", got, err)
	}
}

// elsewhere is a project without topics.
func elsewhere(t *testing.T) *pubsub.Client {
	t.Helper()
	client, err := pubsub.NewClient(t.Context(), emutest.Project(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Not parallel: a function finds its stores through the environment.
func TestJob(t *testing.T) {
	w, topics := emutest.Writer(t)
	leave(t, w, time.Now().Add(-3*time.Minute), 3)
	t.Setenv("SEGUE_PROJECT", topics.Project())
	t.Setenv("SEGUE_SPANNER_DATABASE", w.Spanner.DatabaseName())
	f := registry.All()[0]
	for _, want := range []string{`{"published":3}`, `{"published":0}`} {
		rec := httptest.NewRecorder()
		f.HTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}")))
		if rec.Code != http.StatusOK || rec.Body.String() != want {
			t.Errorf("POST: %d %s, want %s", rec.Code, rec.Body, want)
		}
	}
	if got := emutest.Received(t, topics, "catalog-changed"); len(got) != 3 {
		t.Errorf("%d events arrived", len(got))
	}
	rec := httptest.NewRecorder()
	f.HTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d", rec.Code)
	}
}

// A topic that is missing must not keep the others' events back, however many
// of its own lie before them.
func TestWhatCannotBePublishedHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	w.Now = time.Now
	leave(t, w, time.Now().Add(-10*time.Minute), 620)
	if _, err := w.Spanner.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		_, err := tx.Update(ctx, spanner.NewStatement("UPDATE Outbox SET Topic = 'nowhere' WHERE TRUE"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	leave(t, w, time.Now().Add(-3*time.Minute), 5)
	got, err := Relay(t.Context(), w)
	if err == nil || got["published"] != 5 {
		t.Errorf("Relay = %v, %v; want 5 and an error", got, err)
	}
	if n := len(emutest.Received(t, topics, "catalog-changed")); n != 5 {
		t.Errorf("%d events arrived", n)
	}
}
