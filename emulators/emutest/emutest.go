// Package emutest gives tests the real stores: the set that `make test` started
// for all packages, found through the environment, or one of their own where a
// package is tested alone. Each test has a database, buckets and topics of its
// own. A package that uses it has a TestMain that calls Main.
package emutest

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
)

// AbortRate of tests: as production may, Spanner aborts some commits, so that
// every transaction is seen to be one that can be tried again.
const AbortRate = 0.05

var own struct {
	once sync.Once
	set  *stores.Stores
	err  error
}

// Main runs a package's tests and stops what they started. The tests fail if
// what they log or print has a secret in it.
func Main(m *testing.M) {
	code := leak.Main(m.Run)
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "emutest:", err)
		code = 1
	}
	os.Exit(code)
}

func stop() error {
	if own.set == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return own.set.Stop(ctx)
}

// Start makes sure that the stores run and that the environment names them.
func Start(t testing.TB) {
	t.Helper()
	own.once.Do(func() {
		if os.Getenv("SEGUE_STORAGE_BEARER") != "" {
			return // make test's set
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		own.set, own.err = stores.Start(ctx, stores.Options{
			AbortRate: AbortRate, SpannerBinary: os.Getenv("SPANNER_EMULATOR_BIN"),
			Log: func(string) io.Writer { return leak.Log() },
		})
		if own.err != nil {
			return
		}
		for k, v := range own.set.Env() {
			if own.err = os.Setenv(k, v); own.err != nil {
				return
			}
		}
	})
	if own.err != nil {
		t.Fatal(own.err)
	}
}

// Project is a fresh project: nothing in it exists yet.
func Project(t testing.TB) string {
	t.Helper()
	Start(t)
	return "test-" + strings.ToLower(id.Random())
}

// Database makes a fresh, migrated database and a client for it.
func Database(t testing.TB) *spanner.Client {
	t.Helper()
	name := "projects/" + Project(t) + "/instances/test/databases/segue"
	if err := stores.CreateDatabase(t.Context(), os.Getenv("SPANNER_EMULATOR_HOST"), name); err != nil {
		t.Fatal(err)
	}
	client, err := spanner.NewClientWithConfig(context.Background(), name, spanner.ClientConfig{DisableNativeMetrics: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Bucket makes a fresh bucket.
func Bucket(t testing.TB) *storage.BucketHandle {
	t.Helper()
	project := Project(t)
	client, err := gcp.NewStorage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	bucket := client.Bucket(project + "-bucket")
	if err := bucket.Create(t.Context(), project, nil); err != nil {
		t.Fatal(err)
	}
	return bucket
}

// Topics makes the manifest's topics in a fresh project, with a subscription
// for Received on each.
func Topics(t testing.TB) *pubsub.Client {
	t.Helper()
	project := Project(t)
	client, err := pubsub.NewClient(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range m.Topics {
		name := "projects/" + project + "/topics/" + topic.Name
		if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: name}); err != nil {
			t.Fatal(err)
		}
		_, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{
			Name: "projects/" + project + "/subscriptions/" + topic.Name, Topic: name, AckDeadlineSeconds: 600,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return client
}

// Writer is an event writer on a fresh database and fresh topics.
func Writer(t testing.TB) (*event.Writer, *pubsub.Client) {
	t.Helper()
	topics := Topics(t)
	return &event.Writer{Spanner: Database(t), Publisher: event.NewPublisher(topics), Now: time.Now}, topics
}

// Received takes all messages that are on a topic now. A publisher has waited
// for Pub/Sub to take them, so what was published before the call is in it.
func Received(t testing.TB, client *pubsub.Client, topic string) []*pubsubpb.ReceivedMessage {
	t.Helper()
	name := "projects/" + client.Project() + "/subscriptions/" + topic
	var all []*pubsubpb.ReceivedMessage
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		//nolint:staticcheck // return_immediately is deprecated for production: it is what a test of "nothing came" needs
		resp, err := client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: name, MaxMessages: 1000, ReturnImmediately: true})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetReceivedMessages()) == 0 {
			return all
		}
		all = append(all, resp.GetReceivedMessages()...)
	}
}

// Redis is a client of the one Redis of all tests: each takes keys of its own,
// which ids drawn at random give it.
func Redis(t testing.TB) *redis.Client {
	t.Helper()
	Start(t)
	client, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: os.Getenv("SEGUE_REDIS_URL")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
