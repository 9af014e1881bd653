package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// call is what a function was called with; it answers with fail.
type call struct {
	trace     telemetry.Trace
	message   *eventpb.CatalogChanged
	finalized event.Finalized
	fail      error
}

// calls are the expected calls by the message's id or the object's name.
type calls struct{ expected sync.Map }

func (c *calls) answer(ctx context.Context, key string, got call) error {
	v, ok := c.expected.Load(key)
	if !ok {
		return fmt.Errorf("nobody expects %q", key)
	}
	into, _ := v.(*call)
	got.trace, got.fail = telemetry.TraceOf(ctx), into.fail
	*into = got
	return into.fail
}

var (
	errNotReady = errors.New("a store is away")
	errKept     = errors.New("put https://storage.test/b/o?X-Goog-Signature=abc: out of order")
)

// framework serves three functions by the Functions Framework itself, which has
// no other way to make its CloudEvents, and which nothing stops.
var framework = sync.OnceValues(func() (*functions, error) {
	f := &functions{}
	ready := func() (*calls, error) { return &f.calls, nil }
	event.Register[struct{}]("test-changed", ready, func(ctx context.Context, m *eventpb.CatalogChanged, c *calls) error {
		return c.answer(ctx, m.GetId(), call{message: m})
	})
	event.Register[struct{}]("test-cold", func() (*calls, error) { return nil, errNotReady },
		func(context.Context, *eventpb.CatalogChanged, *calls) error { return nil })
	event.RegisterSeveral[struct{}]("test-several", ready, func(ctx context.Context, m proto.Message, c *calls) error {
		switch m := m.(type) {
		case *eventpb.CatalogChanged:
			return c.answer(ctx, "changed "+m.GetId(), call{message: m})
		case *eventpb.TrackAnalyzed:
			return c.answer(ctx, "analyzed "+m.GetTrackId(), call{})
		}
		return fmt.Errorf("%T is none of the messages", m)
	}, []proto.Message{&eventpb.CatalogChanged{}, &eventpb.TrackAnalyzed{}}...)
	event.Register[gcp.Config]("test-kept", ready, func(context.Context, *eventpb.CatalogChanged, *calls) error { return errKept })
	event.RegisterBucket[struct{}]("test-finalized", ready, func(ctx context.Context, m event.Finalized, c *calls) error {
		return c.answer(ctx, m.Object, call{finalized: m})
	}, nil)
	for _, r := range registry.All() {
		err := funcframework.RegisterCloudEventFunctionContext(context.Background(), "/"+r.Name+"/",
			func(ctx context.Context, e ce.Event) error { return r.CloudEvent(ctx, e) })
		if err != nil {
			return nil, err
		}
	}
	port, err := part.FreePort(context.Background())
	if err != nil {
		return nil, err
	}
	f.url = fmt.Sprintf("http://127.0.0.1:%d/", port)
	failed := make(chan error, 1)
	go func() { failed <- funcframework.StartHostPort("127.0.0.1", fmt.Sprint(port)) }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
		if err != nil {
			return nil, err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			return f, resp.Body.Close()
		}
		select {
		case err := <-failed:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
})

type functions struct {
	calls calls
	url   string
}

// push sends what Pub/Sub pushes and says whether that acknowledges it.
func (f *functions) push(t *testing.T, function string, data []byte, attributes map[string]string) bool {
	t.Helper()
	return f.pushFrom(t, "t", function, data, attributes)
}

func (f *functions) pushFrom(t *testing.T, topic, function string, data []byte, attributes map[string]string) bool {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"subscription": "projects/p/subscriptions/s", "deliveryAttempt": 1,
		"message": map[string]any{
			"data": data, "attributes": attributes, "messageId": "1234", "message_id": "1234",
			"publishTime": "2026-03-01T12:00:00Z", "publish_time": "2026-03-01T12:00:00Z",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+function+"/projects/p/topics/"+topic, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return true
	}
	return false
}

func start(t *testing.T) *functions {
	t.Helper()
	f, err := framework()
	if err != nil {
		t.Fatal(err)
	}
	return f
}
