package deadletter

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"testing"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/registry"
)

func TestMain(m *testing.M) { emutest.Main(m) }

const dead = "CloudPubSubDeadLetterSource"

// letter is what Pub/Sub forwards of a message to a function's subscription.
func letter(t *testing.T, subscription string, m proto.Message, attributes map[string]string) event.DeadLetter {
	t.Helper()
	var data []byte
	if m != nil {
		var err error
		if data, err = proto.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{
		"id": id.Random(), dead + "Subscription": subscription, dead + "SubscriptionProject": "p",
		dead + "DeliveryCount": "10", dead + "TopicPublishTime": "2026-03-01T12:00:00.5Z",
	}
	maps.Copy(all, attributes)
	return event.NewDeadLetter("77", data, all)
}

// failed records a delivery of the letter's message that failed.
func failed(t *testing.T, c *spanner.Client, d event.DeadLetter, why string) {
	t.Helper()
	_, err := c.Apply(t.Context(), []*spanner.Mutation{spanner.InsertMap("DeliveryFailures", map[string]any{
		"DeliveryId": d.Delivery(), "Function": d.Function, "Error": why, "TraceId": strings.Repeat("a", 32), "FailedAt": spanner.CommitTimestamp,
	})})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *spanner.Client, letter string) *deadletter.Letter {
	t.Helper()
	l, err := deadletter.Read(t.Context(), c, letter)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// However often it is delivered, and at once: one row, as it was first seen.
func TestKeptOnce(t *testing.T) {
	t.Parallel()
	c := emutest.Database(t)
	d := letter(t, "ingest-transcode.transcode-requested", &eventpb.TranscodeRequested{UploadId: id.Random()}, nil)
	failed(t, c, d, "out of order")
	var g errgroup.Group
	for n := range 4 {
		g.Go(func() error {
			copied := d
			copied.MessageID = id.Random() // forwarded twice
			if n < 2 {
				copied.MessageID = d.MessageID
			}
			return Keep(t.Context(), copied, c)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	ingesttest.Rows(t, c, map[string]int64{"DeadLetters": 1})
	first := read(t, c, d.ID())
	if err := Keep(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	l := read(t, c, d.ID())
	if !l.FirstSeen.Equal(first.FirstSeen) || l.Error != "out of order" || l.TraceID != strings.Repeat("a", 32) || l.FailedAt.IsZero() ||
		l.Function != "ingest-transcode" || l.Topic != "transcode-requested" || l.DeliveryCount != 10 || l.Published.IsZero() ||
		!bytes.Equal(l.Data, d.Data) || !maps.Equal(l.Attributes, d.Attributes) || l.EventID != d.Attributes["id"] || !l.ReplayedAt.IsZero() {
		t.Errorf("kept %+v", l)
	}
}

// Whatever comes is kept: what could not be would come again for days.
func TestWhateverItIs(t *testing.T) {
	t.Parallel()
	c := emutest.Database(t)
	upload := id.Random()
	for name, l := range map[string]struct {
		event.DeadLetter
		upload string
	}{
		"an event":            {letter(t, "ingest-publish.rendition-ready", &eventpb.RenditionReady{UploadId: upload}, nil), upload},
		"no upload's":         {letter(t, "x-y.catalog-changed", &eventpb.CatalogChanged{Kind: "track", Id: "a"}, nil), ""},
		"a notification":      {letter(t, "ingest-probe.upload-finalized", nil, map[string]string{"id": "", "objectId": ingest.Prefix + upload}), upload},
		"an object elsewhere": {letter(t, "ingest-probe.upload-finalized", nil, map[string]string{"objectId": "x"}), ""},
		"no such upload":      {letter(t, "ingest-publish.rendition-ready", &eventpb.RenditionReady{UploadId: "\t"}, nil), ""},
		"undecodable":         {event.NewDeadLetter("1", []byte("\xff\xff"), map[string]string{dead + "Subscription": "ingest-publish.rendition-ready"}), ""},
		"a function gone":     {letter(t, "old-function.old-topic", nil, nil), ""},
		"not ours":            {letter(t, strings.Repeat("s", 255), nil, nil), ""},
		"long":                {letter(t, strings.Repeat("s", 120)+"."+strings.Repeat("t", 130), nil, map[string]string{"id": strings.Repeat("é", 512), "traceparent": "00-x", "replay_of": strings.Repeat("r", 1024)}), ""},
		"too long":            {letter(t, strings.Repeat("s", 700)+"."+strings.Repeat("t", 300), nil, nil), ""},
		"before all time":     {letter(t, "f.t", nil, map[string]string{dead + "TopicPublishTime": "0000-01-01T00:00:00Z"}), ""},
		"large":               {event.NewDeadLetter("2", make([]byte, 1<<20), nil), ""},
		"nothing":             {event.NewDeadLetter("3", nil, nil), ""},
	} {
		if err := Keep(t.Context(), l.DeadLetter, c); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := read(t, c, l.ID()); got.UploadID != l.upload || !bytes.Equal(got.Data, l.Data) || got.Error != "" {
			t.Errorf("%s: kept %+v", name, got)
		}
	}
}

// An upload is said to be delayed until the letter is replayed.
func TestUploadIsDelayed(t *testing.T) {
	t.Parallel()
	c := emutest.Database(t)
	for topic, want := range map[string]string{
		"transcode-requested": "delayed: a rendition could not be made; it will be tried again by an operator",
		"another":             "delayed: a step could not be done; it will be tried again by an operator",
	} {
		upload := id.Random()
		d := letter(t, "f-g."+topic, nil, map[string]string{"objectId": ingest.Prefix + upload})
		delayed := func(want string) {
			t.Helper()
			if got, err := ingest.Delayed(t.Context(), c.Single(), upload); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", topic, got, err, want)
			}
		}
		delayed("")
		if err := Keep(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
		delayed(want)
		if err := deadletter.Replayed(t.Context(), c, d.ID()); err != nil {
			t.Fatal(err)
		}
		delayed("")
		// Delivered once more, it does not delay again.
		if err := Keep(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
		delayed("")
	}
}

// Not parallel: it takes the log, and finds its store through the environment.
func TestFunction(t *testing.T) {
	c := emutest.Database(t)
	t.Setenv("SEGUE_PROJECT", "test")
	t.Setenv("SEGUE_SPANNER_DATABASE", c.DatabaseName())
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	d := letter(t, "ingest-publish.rendition-ready", nil, nil)
	failed(t, c, d, "out of order")
	body, err := json.Marshal(map[string]any{
		"subscription": "projects/p/subscriptions/ops-deadletter.dead-letter",
		"message":      map[string]any{"data": d.Data, "attributes": d.Attributes, "messageId": d.MessageID},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := ce.New()
	e.SetSource("//pubsub.googleapis.com/projects/p/topics/dead-letter")
	if err := e.SetData(ce.ApplicationJSON, json.RawMessage(body)); err != nil {
		t.Fatal(err)
	}
	if err := registry.All()[0].CloudEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	ingesttest.Rows(t, c, map[string]int64{"DeadLetters": 1})
	for line := range strings.Lines(log.String()) {
		var l struct{ Level, Msg, ID, Function, Topic, Error string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Msg == "dead letter" && l.Level == "ERROR" && l.ID == d.ID() && l.Function == "ingest-publish" && l.Topic == "rendition-ready" && l.Error == "out of order" {
			return
		}
	}
	t.Errorf("the log does not tell of it: %s", log.String())
}
