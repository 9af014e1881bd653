package event

import (
	"context"
	"hash/fnv"
	"log/slog"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/gcp"
)

// The outbox spreads over shards, so that its growing minutes are no hot spot.
const shards = 8

// publishWithin is how long a request waits for Pub/Sub: an idle instance gets
// no CPU, so publishing cannot go on behind the answer; what does not make it
// is left to the relay.
const publishWithin = time.Second

// patience is publishWithin for what an event caused: nobody waits for the
// answer, the instance keeps its CPU, and the relay comes a minute later only.
const patience = 20 * time.Second

type patient struct{}

// withPatience marks the context of an event function.
func withPatience(ctx context.Context) context.Context {
	return context.WithValue(ctx, patient{}, patience)
}

// within is how long publishing in a context may take.
func within(ctx context.Context) time.Duration {
	if d, ok := ctx.Value(patient{}).(time.Duration); ok {
		return d
	}
	return publishWithin
}

// Writer is the one way to write what causes events. Die where it may, nothing
// is lost and no event tells of what did not happen:
//
//	before the commit            nothing happened
//	between commit and publish   the outbox row stays, the relay publishes
//	between publish and delete   the relay publishes again, under the same id
type Writer struct {
	Spanner   *spanner.Client
	Publisher *Publisher
	Now       func() time.Time
}

// Open makes the writer of a function from the process's clients.
func Open(c gcp.Config) (*Writer, error) {
	clients := gcp.For(c)
	spanner, err := clients.Spanner()
	if err != nil {
		return nil, err
	}
	pubsub, err := clients.PubSub()
	if err != nil {
		return nil, err
	}
	return &Writer{Spanner: spanner, Publisher: NewPublisher(pubsub), Now: time.Now}, nil
}

// Write runs a transaction whose events come true with it: change makes its
// changes in tx and returns what they cause. It may run several times.
func (w *Writer) Write(ctx context.Context, change func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error)) error {
	var messages []Message
	caller := ctx // an event follows from what was asked for, not from one try at it
	_, err := w.Spanner.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		events, err := change(ctx, tx)
		if err != nil {
			return err
		}
		messages = messages[:0]
		rows := make([]*spanner.Mutation, 0, len(events))
		for _, e := range events {
			m, err := New(caller, e, w.Now())
			if err != nil {
				return err
			}
			messages = append(messages, m)
			rows = append(rows, m.insert())
		}
		return tx.BufferWrite(rows)
	})
	if err != nil {
		return err
	}
	w.finish(ctx, messages)
	return nil
}

// finish publishes and deletes; its failures never fail the request.
func (w *Writer) finish(ctx context.Context, messages []Message) {
	if len(messages) == 0 {
		return
	}
	crash.Point("outbox:committed")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within(ctx))
	defer cancel()
	sent, err := w.Publisher.Publish(ctx, messages...)
	if err != nil {
		slog.WarnContext(ctx, "events are left to the relay", "error", err, "count", len(messages)-len(sent))
	}
	crash.Point("outbox:published")
	if len(sent) == 0 {
		return
	}
	if err := w.forget(ctx, sent); err != nil {
		slog.WarnContext(ctx, "published events stay in the outbox", "error", err, "count", len(sent))
	}
}

func (w *Writer) forget(ctx context.Context, messages []Message) error {
	keys := make([]spanner.Key, len(messages))
	for i, m := range messages {
		keys[i] = m.key()
	}
	_, err := w.Spanner.Apply(ctx, []*spanner.Mutation{spanner.Delete("Outbox", spanner.KeySetFromKeys(keys...))}, spanner.ApplyAtLeastOnce())
	return err
}

func (m Message) key() spanner.Key {
	h := fnv.New32a()
	_, _ = h.Write([]byte(m.ID))
	return spanner.Key{int64(h.Sum32() % shards), m.Time.Truncate(time.Minute), m.ID}
}

func (m Message) insert() *spanner.Mutation {
	k := m.key()
	return spanner.Insert("Outbox",
		[]string{"Shard", "Minute", "EventId", "Topic", "Data", "Traceparent", "CreatedAt"},
		[]any{k[0], k[1], m.ID, m.Topic, m.Data, m.Trace, m.Time})
}
