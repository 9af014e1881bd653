package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
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
	add[Config](name, []string{messageName(zero)}, deps, func(p published) (M, error) { return decode(zero, p.Message.Data) }, logic, nil)
}

// RegisterSeveral makes an event function of several topics, each with one of
// these messages. M is what logic sees of them all.
func RegisterSeveral[Config any, M proto.Message, Deps any](name string, deps func() (Deps, error), logic Logic[M, Deps], messages ...M) {
	names, byTopic := make([]string, len(messages)), map[string]M{}
	for i, m := range messages {
		names[i], byTopic[Topic(m)] = messageName(m), m
	}
	add[Config](name, names, deps, func(p published) (M, error) {
		m, known := byTopic[p.topic]
		if !known {
			return m, fmt.Errorf("topic %q is none of this function's", p.topic)
		}
		return decode(m, p.Message.Data)
	}, logic, nil)
}

func messageName(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }

func decode[M proto.Message](zero M, data []byte) (M, error) {
	m, ok := zero.ProtoReflect().New().Interface().(M)
	if !ok {
		return zero, fmt.Errorf("a new %T is not one", zero)
	}
	return m, proto.Unmarshal(data, m)
}

// Finalized is Cloud Storage's notification that an object is complete.
// https://cloud.google.com/storage/docs/pubsub-notifications#attributes
type Finalized struct {
	Bucket     string
	Object     string
	Generation string
}

// Origin finds the traceparent of what caused an event, for events whose sender
// knows of no trace. "" is none.
type Origin[M, Deps any] func(context.Context, M, Deps) string

// RegisterBucket makes an event function of a bucket's notifications. Cloud
// Storage sends no trace with them: origin, if not nil, knows it.
func RegisterBucket[Config, Deps any](name string, deps func() (Deps, error), logic Logic[Finalized, Deps], origin Origin[Finalized, Deps]) {
	add[Config](name, nil, deps, func(p published) (Finalized, error) {
		a := p.Message.Attributes
		f := Finalized{Bucket: a["bucketId"], Object: a["objectId"], Generation: a["objectGeneration"]}
		if a["eventType"] != "OBJECT_FINALIZE" || f.Bucket == "" || f.Object == "" || f.Generation == "" {
			return f, fmt.Errorf("attributes %v are not those of an OBJECT_FINALIZE", a)
		}
		return f, nil
	}, logic, origin)
}

// published is the data of the CloudEvent that the Functions Framework makes of
// a Pub/Sub push.
type published struct {
	Message struct {
		Data       []byte            `json:"data"`
		Attributes map[string]string `json:"attributes"`
		MessageID  string            `json:"messageId"`
	} `json:"message"`
	Subscription string `json:"subscription"`

	topic string // the CloudEvent's
}

func add[Config, M, Deps any](name string, messages []string, deps func() (Deps, error), decode func(published) (M, error), logic Logic[M, Deps], origin Origin[M, Deps]) {
	failed := recorder(config.Names[Config]())
	if _, last := any(*new(M)).(DeadLetter); last {
		failed = nil // nothing comes after the dead letters' own function
	}
	registry.Add(registry.Function{
		Name: name, Messages: messages, Environment: config.Names[Config](),
		Ready: func() error { _, err := deps(); return errors.Join(telemetry.Start(), err) },
		CloudEvent: func(ctx context.Context, e ce.Event) error {
			leave, ok := drain.Enter()
			defer leave()
			if !ok {
				return errEnding
			}
			if err := telemetry.Start(); err != nil {
				return fmt.Errorf("not ready: %w", err)
			}
			var p published
			if err := json.Unmarshal(e.Data(), &p); err != nil {
				return fmt.Errorf("event %s carries no Pub/Sub message: %w", e.ID(), err)
			}
			p.topic = path.Base(e.Source())
			trace := p.Message.Attributes[attrTrace]
			if origin != nil && trace == "" {
				trace = find(ctx, p, deps, decode, origin)
			}
			ctx, end := telemetry.Process(ctx, telemetry.Delivery{
				Function: name, Topic: p.topic, Subscription: path.Base(p.Subscription), MessageID: p.Message.MessageID, Trace: trace,
			})
			defer telemetry.AfterEvent(ctx)
			start := time.Now()
			err := handle(withPatience(ctx), p, deps, decode, logic)
			end(err)
			level, outcome := slog.LevelInfo, "done"
			if err != nil {
				level, outcome = slog.LevelWarn, err.Error()
			}
			slog.Log(ctx, level, "event", "function", name, "message_id", p.Message.MessageID, "outcome", outcome, "ms", time.Since(start).Milliseconds())
			if err != nil && failed != nil {
				failed.record(ctx, name, p, err)
			}
			return err
		},
	})
}

// errEnding has Pub/Sub deliver the event again, to another instance.
var errEnding = errors.New("this instance is ending")

// originWithin is how long an event waits to learn its trace.
const originWithin = 2 * time.Second

// find asks for the event's trace. What keeps it from an answer is met again,
// and told, by the function itself, which then begins a trace.
func find[M, Deps any](ctx context.Context, p published, deps func() (Deps, error), decode func(published) (M, error), origin Origin[M, Deps]) string {
	m, err := decode(p)
	if err != nil {
		return ""
	}
	d, err := deps()
	if err != nil {
		return ""
	}
	// The question comes before the trace is known, so it is in none.
	ctx, cancel := context.WithTimeout(ctx, originWithin)
	defer cancel()
	return origin(ctx, m, d)
}

// handle returns an error also for what cannot be decoded: the dead-letter
// topic then keeps it, whence it can be replayed when the reader is mended.
func handle[M, Deps any](ctx context.Context, p published, deps func() (Deps, error), decode func(published) (M, error), logic Logic[M, Deps]) error {
	m, err := decode(p)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	d, err := deps()
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return logic(ctx, m, d)
}
