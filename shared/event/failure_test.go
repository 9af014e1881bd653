package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// failing registers a function that always fails, and delivers to it.
func failing(t *testing.T, cause error) (deliver func(subscription string, data []byte, attributes map[string]string) error) {
	t.Helper()
	name := strings.ToLower(t.Name())
	event.Register[gcp.Config](name, func() (int, error) { return 0, nil }, func(context.Context, *eventpb.CatalogChanged, int) error { return cause })
	return func(subscription string, data []byte, attributes map[string]string) error {
		body, err := json.Marshal(map[string]any{
			"subscription": subscription, "message": map[string]any{"data": data, "attributes": attributes, "messageId": "1234"},
		})
		if err != nil {
			t.Fatal(err)
		}
		e := ce.New()
		e.SetSource("//pubsub.googleapis.com/projects/p/topics/catalog-changed")
		if err := e.SetData(ce.ApplicationJSON, json.RawMessage(body)); err != nil {
			t.Fatal(err)
		}
		for _, f := range registry.All() {
			if f.Name == name {
				return f.CloudEvent(t.Context(), e)
			}
		}
		return errors.New("it is not registered")
	}
}

// Not parallel: a function finds its store through the environment.
func TestErrorOfAFailedDeliveryIsKept(t *testing.T) {
	client := emutest.Database(t)
	t.Setenv("SEGUE_PROJECT", "test")
	t.Setenv("SEGUE_SPANNER_DATABASE", client.DatabaseName())
	f := start(t)
	trace := telemetry.NewTrace()
	of := func(id string) map[string]string {
		return map[string]string{"id": id, "traceparent": trace.Traceparent()}
	}
	for range 2 { // the last error of each message: one row
		if f.pushFrom(t, "catalog-changed", "test-kept", nil, of("a")) {
			t.Error("a failure is acknowledged")
		}
	}
	if f.pushFrom(t, "catalog-changed", "test-kept", []byte("\xff"), of("b")) {
		t.Error("what cannot be decoded is acknowledged")
	}
	if n := count(t, client, "DeliveryFailures", "DeliveryId"); n != 2 {
		t.Errorf("%d rows", n)
	}
	for name, c := range map[string]struct {
		subscription, id, data, want string
	}{
		"failed":               {"test-kept.catalog-changed", "a", "", "put https://storage.test/b/o?[query] out of order"},
		"undecodable":          {"test-kept.catalog-changed", "b", "\xff", "decode: "},
		"another message":      {"test-kept.catalog-changed", "c", "", ""},
		"another subscription": {"g.catalog-changed", "a", "", ""},
	} {
		a := of(c.id)
		a["CloudPubSubDeadLetterSourceSubscription"] = c.subscription
		a["CloudPubSubDeadLetterSourceDeliveryCount"] = "10"
		got, err := event.FailureOf(t.Context(), client.Single(), event.NewDeadLetter("5", []byte(c.data), a))
		if err != nil || !strings.HasPrefix(got.Error, c.want) || (got.Error == "") != (c.want == "") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if c.want != "" && (got.TraceID != trace.ID || time.Since(got.At).Abs() > time.Minute) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A Spanner that is away changes nothing of a failure, and costs a moment.
func TestErrorIsNotKeptWhereSpannerIsAway(t *testing.T) {
	emutest.Start(t)
	port, err := part.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SPANNER_EMULATOR_HOST", fmt.Sprintf("127.0.0.1:%d", port))
	t.Setenv("SEGUE_PROJECT", "test")
	t.Setenv("SEGUE_SPANNER_DATABASE", "projects/"+emutest.Project(t)+"/instances/i/databases/d")
	cause := errors.New("out of order")
	deliver := failing(t, cause)
	for range 2 {
		start := time.Now()
		if err := deliver("projects/p/subscriptions/s", nil, nil); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                       "plain",
		"get http://a/b?c=d&e=f: 404": "get http://a/b?[query] 404",
		`Put "https://s.test/o?X-Goog-Credential=x&X-Goog-Signature=y": EOF`: `Put "https://s.test/o?[query]": EOF`,
		"https://user:pass@host/x failed":                                    "https://[credentials]@host/x failed",
		"/u/o?upload_id=ABC&x=1":                                             "/u/o?upload_id=[secret]&x=1",
		"URLPrefix=aHR0&Expires=1&Signature=xyz= failed":                     "URLPrefix=[secret]&Expires=1&Signature=[secret] failed",
		`{"access_token": "abc", "x": 1}`:                                    `{"access_token": "[secret]", "x": 1}`,
		"Authorization: Bearer abc.def-g said no":                            "Authorization: Bearer [token] said no",
		"token eyJhbGciOiJF.eyJzdWIiOi.c2ln was":                             "token [token] was",
		"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nrest":  "[private key]\nrest",
		"-----BEGIN EC PRIVATE KEY-----\nMII":                                "[private key]",
		"parse redis://:pass@host:1/0: bad":                                  "parse redis://[credentials]@host:1/0: bad",
		"Authorization: Basic dXNlcjpwYXNz said no":                          "Authorization: Basic [token] said no",
		"token ya29.a0Af_x-y1 was":                                           "token [token] was",
		"bad \xff byte":                                                      "bad \uFFFD byte",
		strings.Repeat("é", 4000):                                            strings.Repeat("é", 2048) + " …",
	} {
		if got := event.Redact(in); got != want {
			t.Errorf("%.60q: %.80q, want %.80q", in, got, want)
		}
	}
}

const dead = "CloudPubSubDeadLetterSource"

func TestDeadLetterIsRead(t *testing.T) {
	t.Parallel()
	published := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	for name, c := range map[string]struct {
		attributes map[string]string
		want       event.DeadLetter
	}{
		"ours": {
			map[string]string{"id": "e", dead + "Subscription": "ingest-probe.upload-finalized", dead + "DeliveryCount": "10", dead + "TopicPublishTime": "2026-03-01T12:00:00.123+00:00"},
			event.DeadLetter{Subscription: "ingest-probe.upload-finalized", Function: "ingest-probe", Topic: "upload-finalized", DeliveryCount: 10, Published: published, EventID: "e"},
		},
		"a whole name": {
			map[string]string{dead + "Subscription": "projects/p/subscriptions/a-b.c", dead + "TopicPublishTime": "2026-03-01T12:00:00.123Z"},
			event.DeadLetter{Subscription: "a-b.c", Function: "a-b", Topic: "c", Published: published},
		},
		"not ours": {
			map[string]string{dead + "Subscription": "other", dead + "DeliveryCount": "many", dead + "TopicPublishTime": "then", "replay_of": "nothing"},
			event.DeadLetter{Subscription: "other"},
		},
		"published by anybody": {nil, event.DeadLetter{}},
	} {
		got := event.NewDeadLetter("m", nil, c.attributes)
		c.want.MessageID, c.want.Attributes = "m", c.attributes
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// The same message has one id however it comes; what differs has another.
func TestDeadLetterID(t *testing.T) {
	t.Parallel()
	of := func(message, data string, change ...string) event.DeadLetter {
		a := map[string]string{"id": "e", dead + "Subscription": "f.t", dead + "TopicPublishTime": "2026-03-01T12:00:00Z"}
		for i := 0; i < len(change); i += 2 {
			a[change[i]] = change[i+1]
		}
		return event.NewDeadLetter(message, []byte(data), a)
	}
	first := of("1", "x")
	if again := of("2", "x", dead+"DeliveryCount", "11"); again.ID() != first.ID() {
		t.Error("forwarded twice, it is two letters")
	}
	for name, other := range map[string]event.DeadLetter{
		"another event":        of("1", "x", "id", "f"),
		"another content":      of("1", "y"),
		"published again":      of("1", "x", dead+"TopicPublishTime", "2026-03-01T13:00:00Z"),
		"another subscription": of("1", "x", dead+"Subscription", "g.t"),
		"moved bytes":          of("1", "", "id", "ex"),
	} {
		if other.ID() == first.ID() {
			t.Errorf("%s: the same letter", name)
		}
	}
	// What does not tell whence it came is known by its own message alone.
	if a, b := event.NewDeadLetter("1", nil, nil), event.NewDeadLetter("2", nil, nil); a.ID() == b.ID() {
		t.Error("two messages are one letter")
	}
	data, attributes := first.Replay()
	if string(data) != "x" || len(attributes) != 2 || attributes["id"] != "e" || attributes["replay_of"] != first.ID() {
		t.Errorf("replayed as %q %v", data, attributes)
	}
}

// Pub/Sub adds attributes to what it delivers from a topic with a schema, and
// takes none of that name from a publisher.
func TestReplayLeavesOutWhatIsPubSubs(t *testing.T) {
	t.Parallel()
	a := map[string]string{"id": "e", dead + "Subscription": "f.t", dead + "TopicPublishTime": "2026-03-01T12:00:00Z"}
	plain := event.NewDeadLetter("1", []byte("x"), maps.Clone(a))
	a["googclient_schemaencoding"], a["googclient_schemaname"] = "BINARY", "projects/p/schemas/s"
	d := event.NewDeadLetter("1", []byte("x"), a)
	if _, attributes := d.Replay(); len(attributes) != 2 || attributes["id"] != "e" || attributes["replay_of"] == "" {
		t.Errorf("replayed with %v", attributes)
	}
	if d.ID() != plain.ID() || d.Delivery() != plain.Delivery() {
		t.Error("what Pub/Sub adds makes another message of it")
	}
}
