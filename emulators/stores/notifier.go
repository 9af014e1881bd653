package stores

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// notifier publishes the buckets' notifications. It is a part for its clean
// stop alone.
type notifier struct {
	host func() string

	mu      sync.Mutex
	clients map[string]*pubsub.Client // by project
}

func (n *notifier) Name() string                 { return "notifications" }
func (n *notifier) Start(context.Context) error  { return nil }
func (n *notifier) Health(context.Context) error { return nil }
func (n *notifier) Failed() <-chan error         { return nil }

// PubSub is a client of a project's topics, shared with the notifications and
// closed with them.
func (s *Stores) PubSub(project string) (*pubsub.Client, error) { return s.notifier.client(project) }

// Notify publishes as the buckets do, to a topic that is named in full.
func (s *Stores) Notify(ctx context.Context, topic string, attributes map[string]string) error {
	return s.notifier.publish(ctx, topic, nil, attributes)
}

// publish sends to a topic that is named in full.
func (n *notifier) publish(ctx context.Context, topic string, data []byte, attributes map[string]string) error {
	parts := strings.Split(topic, "/")
	if len(parts) != 4 {
		return fmt.Errorf("topic %q is not projects/P/topics/T", topic)
	}
	client, err := n.client(parts[1])
	if err != nil {
		return err
	}
	p := client.Publisher(topic)
	defer p.Stop()
	_, err = p.Publish(ctx, &pubsub.Message{Data: data, Attributes: attributes}).Get(ctx)
	return err
}

func (n *notifier) client(project string) (*pubsub.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.clients[project]; c != nil {
		return c, nil
	}
	c, err := pubsub.NewClient(context.Background(), project, option.WithEndpoint(n.host()), option.WithoutAuthentication(),
		option.WithTelemetryDisabled(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		return nil, err
	}
	if n.clients == nil {
		n.clients = map[string]*pubsub.Client{}
	}
	n.clients[project] = c
	return c, nil
}

// Stop closes the clients.
func (n *notifier) Stop(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var first error
	for _, c := range n.clients {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	n.clients = nil
	return first
}
