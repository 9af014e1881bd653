// Package push stands between the Pub/Sub emulator and the functions, and adds
// what Pub/Sub does in production and its emulator does not: the OIDC token,
// the count of delivery attempts, the function's timeout and its concurrency.
// It can also deliver each event several times, as Pub/Sub may. It retries
// nothing: Pub/Sub does, when it reads a status that does not acknowledge.
package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
)

// Options says whom to deliver to.
type Options struct {
	Port     int // 0 takes any free port
	Manifest *functions.Manifest
	Project  string
	// FunctionURL is the base URL of a function of the manifest.
	FunctionURL func(name string) string
	// Token signs the OIDC token that is presented to the function at audience.
	Token func(audience string) (string, error)
	// Copies is how many times each event is delivered, the first two at once;
	// 0 is 1. The event is acknowledged when all copies succeeded.
	Copies int
	// Instances of each function, as far as its max_instances go; 0 is 1. Each
	// takes the manifest's concurrency of requests at once.
	Instances int
	Log       io.Writer
}

// Push is the server that the push subscriptions point to.
type Push struct {
	options   Options
	log       *log.Logger
	transport *http.Transport
	targets   map[string]*target
	attempts  *attempts
	server    *part.Server
}

// target is an event function. Slots are the requests that one instance of it
// takes at once.
type target struct {
	functions.Function
	slots chan struct{}
}

var _ part.Part = (*Push)(nil)

// New makes a server that has yet to be started.
func New(o Options) *Push {
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Copies = max(o.Copies, 1)
	p := &Push{
		options: o, log: log.New(o.Log, "", 0), targets: map[string]*target{},
		transport: &http.Transport{MaxIdleConnsPerHost: 100}, attempts: newAttempts(maxCounted),
	}
	for _, f := range o.Manifest.Functions {
		if f.Kind == functions.Event {
			p.targets[f.Name] = &target{Function: f, slots: make(chan struct{}, max(f.Concurrency, 1)*max(min(o.Instances, f.MaxInstances), 1))}
		}
	}
	return p
}

// Name is the part's name.
func (p *Push) Name() string { return "push" }

// URL is the push endpoint of a function's subscription to a topic.
func (p *Push) URL(function, topic string) string {
	return p.server.URL() + "/" + function + "/" + topic
}

// Start serves.
func (p *Push) Start(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{function}/{topic}", p.handle)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server, err := part.StartServer(ctx, p.Name(), p.options.Port, mux)
	if err != nil {
		return err
	}
	p.server = server
	return nil
}

// Health asks the server over HTTP.
func (p *Push) Health(ctx context.Context) error {
	if p.server == nil {
		return errors.New("push has not started")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server.URL()+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("push: health is %s", resp.Status)
	}
	return nil
}

// Stop lets deliveries in flight finish for as long as ctx lasts.
func (p *Push) Stop(ctx context.Context) error {
	defer p.transport.CloseIdleConnections()
	if p.server == nil {
		return nil
	}
	return p.server.Stop(ctx)
}

// Failed delivers an error when the started server ends by itself.
func (p *Push) Failed() <-chan error {
	if p.server == nil {
		return nil
	}
	return p.server.Failed()
}
