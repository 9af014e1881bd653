// Package gcp holds the clients of Google Cloud that functions share: each is
// made when it is first asked for, once a process. The emulators are reached
// through the variables that Google's own tools use (SPANNER_EMULATOR_HOST,
// PUBSUB_EMULATOR_HOST, STORAGE_EMULATOR_HOST); production sets none of them.
//
// Spans: Google's libraries make those of Spanner's and Cloud Storage's
// operations, and of the calls below them (otelgrpc, otelhttp), by themselves.
// Pub/Sub's own tracing stays off: shared/event makes the producer's span, and
// with the library's each message would carry two traces.
package gcp

import (
	"context"
	"fmt"
	"os"
	"sync"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/shared/once"
)

// Config says which project and database a function works in.
type Config struct {
	Project string `env:"SEGUE_PROJECT, required"`
	// Database is projects/P/instances/I/databases/D.
	Database string `env:"SEGUE_SPANNER_DATABASE, required"`
}

// Clients are the lazy clients of one configuration.
type Clients struct {
	Spanner func() (*spanner.Client, error)
	Storage func() (*storage.Client, error)
	PubSub  func() (*pubsub.Client, error)
}

var (
	mu     sync.Mutex
	shared = map[Config]*Clients{}
)

// For gives the process's clients for a configuration: the functions of one
// process that have the same configuration share their connections.
func For(c Config) *Clients {
	mu.Lock()
	defer mu.Unlock()
	if shared[c] == nil {
		shared[c] = New(c)
	}
	return shared[c]
}

// New makes clients of their own; they live as long as the process.
func New(c Config) *Clients {
	ctx := context.Background()
	return &Clients{
		Spanner: once.Value(func() (*spanner.Client, error) {
			// Native metrics go to Cloud Monitoring, which an emulator has not.
			local := os.Getenv("SPANNER_EMULATOR_HOST") != ""
			client, err := spanner.NewClientWithConfig(ctx, c.Database, spanner.ClientConfig{DisableNativeMetrics: local, CallOptions: spannerCalls()}, connections()...)
			if err != nil {
				return nil, fmt.Errorf("connect to Spanner: %w", err)
			}
			return client, nil
		}),
		Storage: once.Value(func() (*storage.Client, error) { return NewStorage(ctx) }),
		PubSub:  once.Value(func() (*pubsub.Client, error) { return NewPubSub(ctx, c.Project) }),
	}
}

// NewPubSub makes a Pub/Sub client.
func NewPubSub(ctx context.Context, project string, opts ...option.ClientOption) (*pubsub.Client, error) {
	client, err := pubsub.NewClientWithConfig(ctx, project, publishCalls(), append(connections(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	return client, nil
}

// Bucket is a handle on a bucket of the shared storage client.
func (c *Clients) Bucket(name string) (*storage.BucketHandle, error) {
	client, err := c.Storage()
	if err != nil {
		return nil, err
	}
	return client.Bucket(name), nil
}
