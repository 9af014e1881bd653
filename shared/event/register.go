package event

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/drain"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// Logic is an event function without Pub/Sub. nil: finished, or recorded as
// what can never succeed; an error: to be delivered again.
type Logic[M, Deps any] func(context.Context, M, Deps) error

// Register makes an event function of logic. M is its protobuf message.
func Register[Config any, M proto.Message, Deps any](name string, deps func() (Deps, error), logic Logic[M, Deps]) {
	var zero M
	add[Config](name, string(zero.ProtoReflect().Descriptor().Name()), deps, func(data []byte, _ map[string]string) (M, error) {
		m, ok := zero.ProtoReflect().New().Interface().(M)
		if !ok {
			return zero, fmt.Errorf("a new %T is not one", zero)
		}
		return m, proto.Unmarshal(data, m)
	}, logic)
}

// Finalized is Cloud Storage's notification that an object is complete.
// https://cloud.google.com/storage/docs/pubsub-notifications#attributes
type Finalized struct {
	Bucket     string
	Object     string
	Generation string
}

// RegisterBucket makes an event function of a bucket's notifications.
func RegisterBucket[Config, Deps any](name string, deps func() (Deps, error), logic Logic[Finalized, Deps]) {
	add[Config](name, "", deps, func(_ []byte, a map[string]string) (Finalized, error) {
		f := Finalized{Bucket: a["bucketId"], Object: a["objectId"], Generation: a["objectGeneration"]}
		if a["eventType"] != "OBJECT_FINALIZE" || f.Bucket == "" || f.Object == "" || f.Generation == "" {
			return f, fmt.Errorf("attributes %v are not those of an OBJECT_FINALIZE", a)
		}
		return f, nil
	}, logic)
}

// published is the data of the CloudEvent that the Functions Framework makes of
// a Pub/Sub push.
type published struct {
	Message struct {
		Data       []byte            `json:"data"`
		Attributes map[string]string `json:"attributes"`
		MessageID  string            `json:"messageId"`
	} `json:"message"`
}

func add[Config, M, Deps any](name, message string, deps func() (Deps, error), decode func([]byte, map[string]string) (M, error), logic Logic[M, Deps]) {
	registry.Add(registry.Function{
		Name: name, Message: message, Environment: config.Names[Config](),
		Ready: func() error { _, err := deps(); return err },
		CloudEvent: func(ctx context.Context, e ce.Event) error {
			defer drain.Enter()()
			var p published
			if err := json.Unmarshal(e.Data(), &p); err != nil {
				return fmt.Errorf("event %s carries no Pub/Sub message: %w", e.ID(), err)
			}
			trace, ok := telemetry.ParseTraceparent(p.Message.Attributes[attrTrace])
			if !ok {
				trace = telemetry.NewTrace()
			}
			ctx = telemetry.WithTrace(ctx, trace)
			start := time.Now()
			err := handle(ctx, p, deps, decode, logic)
			level, outcome := slog.LevelInfo, "done"
			if err != nil {
				level, outcome = slog.LevelWarn, err.Error()
			}
			slog.Log(ctx, level, "event", "function", name, "message_id", p.Message.MessageID, "outcome", outcome, "ms", time.Since(start).Milliseconds())
			return err
		},
	})
}

// handle returns an error also for what cannot be decoded: the dead-letter
// topic then keeps it, whence it can be replayed when the reader is mended.
func handle[M, Deps any](ctx context.Context, p published, deps func() (Deps, error), decode func([]byte, map[string]string) (M, error), logic Logic[M, Deps]) error {
	m, err := decode(p.Message.Data, p.Message.Attributes)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	d, err := deps()
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return logic(ctx, m, d)
}
