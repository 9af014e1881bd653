package event_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
)

var newID = id.Random

// writeInto makes the test binary a process that writes one row with its event
// into this database, and ends.
const writeInto = "SEGUE_TEST_WRITE_INTO"

func TestMain(m *testing.M) {
	if database := os.Getenv(writeInto); database != "" {
		if err := child(database); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	emutest.Main(m)
}

func child(database string) error {
	w, err := event.Open(gcp.Config{Project: os.Getenv("SEGUE_PROJECT"), Database: database})
	if err != nil {
		return err
	}
	return w.Write(context.Background(), adding(os.Getenv("SEGUE_TEST_ARTIST")))
}

const topic = "catalog-changed"

// change is what Write takes.
type change = func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error)

// adding is a change that adds an artist and tells of it.
func adding(artist string) change {
	return func(_ context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		row := spanner.InsertMap("Artists", map[string]any{
			"ArtistId": artist, "LabelId": "label", "Name": artist, "NameKey": artist,
			"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		})
		return []proto.Message{changed(artist)}, tx.BufferWrite([]*spanner.Mutation{row})
	}
}

func changed(artist string) *eventpb.CatalogChanged {
	return &eventpb.CatalogChanged{Kind: "artist", Id: artist}
}

// later is when all that a test wrote is old enough for the relay.
func later() time.Time { return time.Now().Add(2 * time.Minute) }

func relay(t *testing.T, w *event.Writer, want int) {
	t.Helper()
	if n, err := w.Relay(t.Context(), later()); err != nil || n != want {
		t.Fatalf("the relay published %d: %v, want %d", n, err, want)
	}
}

func count(t *testing.T, c *spanner.Client, table, key string) int {
	t.Helper()
	n := 0
	err := c.Single().Read(t.Context(), table, spanner.AllKeys(), []string{key}).Do(func(*spanner.Row) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func outbox(t *testing.T, w *event.Writer) []event.Message {
	t.Helper()
	all, err := w.Pending(t.Context(), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// arrived takes the messages on a topic and fails unless there are so many, all
// of them with this one's content and its attributes.
func arrived(t *testing.T, client *pubsub.Client, want int, m event.Message) {
	t.Helper()
	all := emutest.Received(t, client, m.Topic)
	if len(all) != want {
		t.Errorf("%d messages arrived on %s, want %d", len(all), m.Topic, want)
	}
	for _, r := range all {
		a := r.GetMessage().GetAttributes()
		if a["id"] != m.ID || a["traceparent"] != m.Trace || a["time"] != m.Time.Format(time.RFC3339Nano) || len(a) != 3 {
			t.Errorf("arrived with %v, want those of %+v", a, m)
		}
		if string(r.GetMessage().GetData()) != string(m.Data) {
			t.Errorf("arrived with data %q, want %q", r.GetMessage().GetData(), m.Data)
		}
	}
}

// names are the artists that messages tell of.
func names(t *testing.T, all []*pubsubpb.ReceivedMessage) []string {
	t.Helper()
	var out []string
	for _, r := range all {
		var m eventpb.CatalogChanged
		if err := proto.Unmarshal(r.GetMessage().GetData(), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m.GetId())
	}
	return out
}
