package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"github.com/segue-audio/segue/shared/telemetry"
)

// Publisher sends messages to Pub/Sub.
type Publisher struct {
	client *pubsub.Client

	mu     sync.Mutex
	topics map[string]*pubsub.Publisher
}

// NewPublisher publishes through client.
func NewPublisher(client *pubsub.Client) *Publisher {
	return &Publisher{client: client, topics: map[string]*pubsub.Publisher{}}
}

func (p *Publisher) topic(name string) *pubsub.Publisher {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[name]
	if t == nil {
		t = p.client.Publisher(name)
		// Whoever publishes waits for it: there is nothing to batch with.
		t.PublishSettings.DelayThreshold = time.Millisecond
		p.topics[name] = t
	}
	return t
}

// Publish sends the messages and waits until Pub/Sub has them. It returns those
// that arrived, whatever became of the others.
func (p *Publisher) Publish(ctx context.Context, messages ...Message) ([]Message, error) {
	results := make([]*pubsub.PublishResult, len(messages))
	ends := make([]func(error), len(messages))
	for i, m := range messages {
		var trace string
		trace, ends[i] = telemetry.Send(ctx, m.Topic, m.ID, m.Trace)
		results[i] = p.topic(m.Topic).Publish(ctx, &pubsub.Message{Data: m.Data, Attributes: m.attributes(trace)})
	}
	var (
		sent []Message
		fail []error
	)
	for i, r := range results {
		_, err := r.Get(ctx)
		ends[i](err)
		if err != nil {
			fail = append(fail, fmt.Errorf("publish to %s: %w", messages[i].Topic, err))
			continue
		}
		sent = append(sent, messages[i])
	}
	return sent, errors.Join(fail...)
}
