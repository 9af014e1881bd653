package event_test

import (
	"errors"
	"testing"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

func TestEventFunctionsReadTheirMessage(t *testing.T) {
	t.Parallel()
	f := start(t)
	trace := telemetry.NewTrace()
	encode := func(artist string) []byte {
		data, err := proto.Marshal(changed(artist))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	unknown := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "of a later version")
	for name, c := range map[string]struct {
		data []byte
		key  string
		fail error
		ok   bool
	}{
		"handled":          {data: encode("a"), key: "a", ok: true},
		"fields to come":   {data: append(encode("b"), unknown...), key: "b", ok: true},
		"to be tried anew": {data: encode("c"), key: "c", fail: errors.New("later")},
		"no protobuf":      {data: []byte("\xff\xff")},
		"cut short":        {data: encode("d")[:4]},
		"no UTF-8":         {data: []byte("\x12\x01\xff")},
	} {
		got := &call{fail: c.fail}
		if c.key != "" {
			f.calls.expected.Store(c.key, got)
		}
		if ok := f.push(t, "test-changed", c.data, map[string]string{"id": "x", "traceparent": trace.Traceparent()}); ok != c.ok {
			t.Errorf("%s: acknowledged: %v", name, ok)
		}
		if c.key != "" && (got.message.GetId() != c.key || got.message.GetKind() != "artist" || got.trace != trace) {
			t.Errorf("%s: called with %+v", name, got)
		}
	}
}

// A function of several topics reads each topic's own message.
func TestEventFunctionOfSeveralTopics(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, c := range map[string]struct {
		topic, key string
		message    proto.Message
		ok         bool
	}{
		"one":            {"catalog-changed", "changed several", changed("several"), true},
		"another":        {"track-analyzed", "analyzed several", &eventpb.TrackAnalyzed{TrackId: "several", UploadId: "u", Version: 1}, true},
		"no topic of it": {"rendition-ready", "", changed("several"), false},
	} {
		data, err := proto.Marshal(c.message)
		if err != nil {
			t.Fatal(err)
		}
		if c.key != "" {
			f.calls.expected.Store(c.key, &call{})
		}
		if ok := f.pushFrom(t, c.topic, "test-several", data, nil); ok != c.ok {
			t.Errorf("%s: acknowledged: %v", name, ok)
		}
	}
}

func TestEventFunctionThatIsNotReady(t *testing.T) {
	t.Parallel()
	f := start(t)
	if f.push(t, "test-cold", nil, nil) {
		t.Error("an event is acknowledged that nobody handled")
	}
	for _, r := range registry.All() {
		if r.Name == "test-cold" && !errors.Is(r.Ready(), errNotReady) {
			t.Errorf("Ready = %v", r.Ready())
		}
	}
}

// https://cloud.google.com/storage/docs/pubsub-notifications#attributes
func TestBucketFunctionsReadNotifications(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, c := range map[string]struct {
		change map[string]string
		ok     bool
	}{
		"whole":           {ok: true},
		"deletion":        {change: map[string]string{"eventType": "OBJECT_DELETE"}},
		"no bucket":       {change: map[string]string{"bucketId": ""}},
		"no object":       {change: map[string]string{"objectId": ""}},
		"no generation":   {change: map[string]string{"objectGeneration": ""}},
		"no notification": {change: map[string]string{"eventType": ""}},
	} {
		a := map[string]string{
			"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "uploads/é " + name, "objectGeneration": "1700000000000001",
			"notificationConfig": "projects/_/buckets/b/notificationConfigs/1", "payloadFormat": "JSON_API_V1", "eventTime": "2026-03-01T12:00:00Z",
		}
		want := event.Finalized{Bucket: "b", Object: a["objectId"], Generation: a["objectGeneration"]}
		got := &call{}
		f.calls.expected.Store(a["objectId"], got)
		for k, v := range c.change {
			a[k] = v
		}
		if ok := f.push(t, "test-finalized", []byte(`{"kind": "storage#object"}`), a); ok != c.ok {
			t.Errorf("%s: acknowledged: %v", name, ok)
		}
		// Cloud Storage sends no trace: one begins here.
		if _, begun := telemetry.ParseTraceparent(got.trace.Traceparent()); c.ok && (got.finalized != want || !begun) {
			t.Errorf("%s: called with %+v, want %+v", name, got, want)
		}
	}
}

func TestCloudEventWithoutMessageIsRefused(t *testing.T) {
	t.Parallel()
	start(t)
	for _, r := range registry.All() {
		e := ce.New()
		if err := e.SetData(ce.ApplicationJSON, []byte("[]")); err != nil {
			t.Fatal(err)
		}
		if err := r.CloudEvent(t.Context(), e); err == nil {
			t.Errorf("%s takes an event that is no Pub/Sub message", r.Name)
		}
	}
}
