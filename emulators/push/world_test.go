package push

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/segue-audio/segue/emulators/identity"
	emulator "github.com/segue-audio/segue/emulators/pubsub"
	"github.com/segue-audio/segue/functions"
)

// world is a function behind a push server, in a project of its own.
type world struct {
	push    *Push
	issuer  *identity.Issuer
	project string
	url     string // the function's
}

type change func(*functions.Function, *Options)

func newWorld(t *testing.T, function http.HandlerFunc, changes ...change) *world {
	t.Helper()
	server := httptest.NewServer(function)
	t.Cleanup(server.Close)
	return newWorldAt(t, server.URL, changes...)
}

func newWorldAt(t *testing.T, url string, changes ...change) *world {
	t.Helper()
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "i", Audience: "a"})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{issuer: issuer, project: "test-" + strings.ToLower(rand.Text()), url: url}
	probe := functions.Function{
		Name: "ingest-probe", Kind: functions.Event, Topics: []string{"upload-finalized"}, Concurrency: 10, Timeout: patience,
	}
	options := Options{
		Project: w.project, FunctionURL: func(string) string { return url },
		Token: func(audience string) (string, error) { return issuer.ServiceToken(audience, "push@segue.test") },
	}
	for _, c := range changes {
		c(&probe, &options)
	}
	options.Manifest = &functions.Manifest{
		Topics:    []functions.Topic{{Name: "upload-finalized"}},
		Functions: []functions.Function{probe, {Name: "web-app", Kind: functions.HTTP}},
	}
	w.push = New(options)
	if err := w.push.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
		defer cancel()
		if err := w.push.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

// publish sends an event through the emulator and returns its id.
func (w *world) publish(t *testing.T, data string, attributes map[string]string) string {
	t.Helper()
	if err := emulator.Wire(t.Context(), shared.Host(), w.project, w.push.options.Manifest, w.push.URL); err != nil {
		t.Fatal(err)
	}
	client, err := pubsub.NewClient(t.Context(), w.project, option.WithEndpoint(shared.Host()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	publisher := client.Publisher("upload-finalized")
	defer publisher.Stop()
	id, err := publisher.Publish(t.Context(), &pubsub.Message{Data: []byte(data), Attributes: attributes}).Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// acknowledged waits until the push server has counted the event as done.
func (w *world) acknowledged(t *testing.T) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.push.attempts.pending() > 0 {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the event was not acknowledged")
		}
	}
}

func (a *attempts) pending() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byEvent)
}

// receive takes the next of what a function reports, or fails the test.
func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
