package gcp_test

import (
	"context"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/gcp"
)

// between has the environment name something that stands before the store at an
// address, while the test lasts.
func between(t *testing.T, variable, address string, stand func(store string) (addr string)) {
	t.Helper()
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.Host = stand(u.Host)
		t.Setenv(variable, u.String())
		return
	}
	t.Setenv(variable, stand(address))
}

var variables = map[string]string{"spanner": "SPANNER_EMULATOR_HOST", "pubsub": "PUBSUB_EMULATOR_HOST", "storage": "STORAGE_EMULATOR_HOST"}

// calls are one call of each store, by a client that found it through the
// environment of now.
func calls(t *testing.T, c gcp.Config, bucket string) map[string]func(context.Context) error {
	t.Helper()
	clients := gcp.New(c)
	rows, err := clients.Spanner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rows.Close)
	events, err := clients.PubSub()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	objects, err := clients.Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	topic := events.Publisher("catalog-changed")
	topic.PublishSettings.DelayThreshold = time.Millisecond
	return map[string]func(context.Context) error{
		"spanner": func(ctx context.Context) error {
			_, err := rows.Apply(ctx, []*spanner.Mutation{spanner.Delete("Outbox", spanner.AllKeys())})
			return err
		},
		"pubsub": func(ctx context.Context) error {
			_, err := topic.Publish(ctx, &pubsub.Message{Data: []byte("x")}).Get(ctx)
			return err
		},
		"storage": func(ctx context.Context) error {
			_, err := objects.Attrs(ctx)
			return err
		},
	}
}

// within runs a call that may take d, and says how long it took.
func within(t *testing.T, d time.Duration, call func(context.Context) error) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	begun := time.Now()
	err := call(ctx)
	return time.Since(begun), err
}

const (
	away = 12 * time.Second // for pauses that grow to have grown
	back = 5 * time.Second
	dead = 15 * time.Second // to find out that a connection is
)

// A store that is away is found again within seconds of its return, by the call
// that waited and by the next one, and no call waits longer than its context.
// Connections that die without a word are found out. Not parallel: a client finds
// its store through the environment.
func TestStoresComeBack(t *testing.T) {
	stores := map[string]string{}
	emutest.Start(t)
	for name, variable := range variables {
		stores[name] = os.Getenv(variable)
	}
	bucket, topics := emutest.Bucket(t).BucketName(), emutest.Topics(t)
	c := gcp.Config{Project: topics.Project(), Database: emutest.Database(t).DatabaseName()}
	// They wait more than they compute: all at once, however few processors.
	var all sync.WaitGroup
	defer all.Wait()
	for fault, begin := range map[string]func(emutest.Faulty) error{
		"cut": func(f emutest.Faulty) error { f.Cut(); return nil }, "black hole": emutest.Faulty.Swallow,
	} {
		proxies := map[string]emutest.Faulty{}
		for name, variable := range variables {
			between(t, variable, stores[name], func(store string) string {
				proxies[name] = emutest.Faults(t, store)
				return proxies[name].Addr
			})
		}
		for name, call := range calls(t, c, bucket) {
			all.Go(func() { outage{name + ", " + fault, proxies[name], begin, call}.check(t) })
		}
	}
	walls := map[string]*forgetful{}
	for name, variable := range variables {
		between(t, variable, stores[name], func(store string) string {
			walls[name] = forget(t, store)
			return walls[name].Addr
		})
	}
	for name, call := range calls(t, c, bucket) {
		all.Go(func() {
			if _, err := within(t, away, call); err != nil {
				t.Errorf("%s at first: %v", name, err)
				return
			}
			walls[name].era.Add(1)
			if took, err := within(t, dead+back, call); err != nil || took > dead {
				t.Errorf("%s, dead connection: %v after %s", name, err, took)
			}
		})
	}
}

// outage is a store that goes away, stays away, and returns.
type outage struct {
	what  string
	proxy emutest.Faulty
	begin func(emutest.Faulty) error
	call  func(context.Context) error
}

func (o outage) check(t *testing.T) {
	t.Helper()
	if _, err := within(t, away, o.call); err != nil {
		t.Errorf("%s: before: %v", o.what, err)
	}
	if err := o.begin(o.proxy); err != nil {
		t.Errorf("%s: %v", o.what, err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := within(t, away+2*back, o.call)
		waiting <- err
	}()
	if took, err := within(t, away, o.call); err == nil || took > away+time.Second {
		t.Errorf("%s: answered %v after %s", o.what, err, took)
	}
	if err := o.proxy.Mend(t.Context()); err != nil {
		t.Errorf("%s: %v", o.what, err)
	}
	mended := time.Now()
	if took, err := within(t, back, o.call); err != nil {
		t.Errorf("%s: afterwards: %v after %s", o.what, err, took)
	}
	if err := <-waiting; err != nil || time.Since(mended) > back {
		t.Errorf("%s: what waited: %v, %s after it", o.what, err, time.Since(mended))
	}
}
