// Package harness composes the emulators and the functions into a whole Segue
// on one machine, watches over it, and takes it down again.
package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/segue-audio/segue/emulators/cdn"
	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/emulators/gateway"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/emulators/pubsub"
	"github.com/segue-audio/segue/emulators/push"
	"github.com/segue-audio/segue/emulators/scheduler"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/gcp"
)

// Options of a harness.
type Options struct {
	Addr      string // of the API
	Data      string // folder for keys, downloads and env
	Ephemeral bool   // any free ports, for several harnesses side by side
	Copies    int    // how often each event is delivered
	AbortRate float64
	Demo      func(ctx context.Context, h *Harness) error // fills the catalogue before ready
	Out       io.Writer
}

// The local project and what lies in it.
const (
	project       = "segue-local"
	database      = "projects/" + project + "/instances/segue/databases/segue"
	uploadsBucket = project + "-uploads"
	audioBucket   = project + "-audio"
)

// Harness is a running Segue.
type Harness struct {
	options  Options
	manifest *functions.Manifest
	log      *logs
	secrets  secrets
	issuer   *identity.Issuer
	stores   *stores.Stores
	cdn      *cdn.CDN
	host     *cloudrun.Host
	push     *push.Push
	gateway  *gateway.Gateway

	mu     sync.Mutex
	parts  []part.Part // in the order in which they started
	tracks []string    // of the demo
	envMu  sync.Mutex  // held while the file env is written
	failed chan error
}

// ports are well known, so that tools can be pointed at them, unless the
// harness is to share a machine with another.
func (o Options) port(known int) int {
	if o.Ephemeral {
		return 0
	}
	return known
}

// Run starts everything, says ready, and returns when ctx ends (nil) or when a
// part dies (why). Nothing that it started is left then.
func Run(ctx context.Context, o Options) error {
	m, err := functions.Load()
	if err != nil {
		return err
	}
	// Programs that run in other folders are told of this one.
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return err
	}
	h := &Harness{options: o, manifest: m, log: &logs{out: o.Out}, failed: make(chan error, 16)}
	unlock, err := lock(o.Data)
	if err != nil {
		return err
	}
	defer unlock()
	defer h.stop()
	started := time.Now()
	errc := make(chan error, 1)
	startCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { errc <- h.start(startCtx) }()
	for {
		select {
		case err := <-errc:
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			fmt.Fprintf(h.log.part("harness"), "started in %s\n", time.Since(started).Round(100*time.Millisecond))
			h.greet()
			errc = nil
		case err := <-h.failed:
			cancel()
			h.settle(errc)
			return err
		case <-ctx.Done():
			h.settle(errc)
			return nil
		}
	}
}

// settle waits for a start that is being cut: its own error is a consequence.
func (h *Harness) settle(start <-chan error) {
	if start == nil {
		return
	}
	if err := <-start; err != nil {
		fmt.Fprintf(h.log.part("harness"), "the start was cut: %v\n", err)
	}
}

func (h *Harness) greet() {
	// On a line of its own and without a prefix: scripts wait for it.
	fmt.Fprintf(h.log.bare(), "ready %s\n", h.URL())
	fmt.Fprintf(h.log.part("harness"), "to call it: source %s; tokens are in $SEGUE_TOKEN_FREE, $SEGUE_TOKEN_PREMIUM, $SEGUE_TOKEN_LABEL\n", h.envFile())
}

// URL is the API's base URL.
func (h *Harness) URL() string { return h.gateway.URL() }

// watch starts a part, remembers it for the stop and listens for its death.
func (h *Harness) watch(ctx context.Context, p part.Part) error {
	if err := p.Start(ctx); err != nil {
		return fmt.Errorf("%s does not start: %w", p.Name(), err)
	}
	h.adopt(p)
	return nil
}

func (h *Harness) adopt(p part.Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(h.parts, p)
	if failed := p.Failed(); failed != nil {
		go func() {
			if err, ok := <-failed; ok {
				h.failed <- fmt.Errorf("%s died: %w", p.Name(), err)
			}
		}()
	}
}

// stop ends the parts, the last one first.
func (h *Harness) stop() {
	h.mu.Lock()
	parts := h.parts
	h.parts = nil
	h.mu.Unlock()
	out := h.log.part("harness")
	fmt.Fprintln(out, "stopping")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := len(parts) - 1; i >= 0; i-- {
		if err := parts[i].Stop(ctx); err != nil {
			fmt.Fprintf(out, "%s does not stop: %v\n", parts[i].Name(), err)
		}
	}
	fmt.Fprintln(out, "stopped")
}

// Health asks every part.
func (h *Harness) Health(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.parts {
		if err := p.Health(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	return nil
}

func (h *Harness) health(w http.ResponseWriter, r *http.Request) {
	if err := h.Health(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (h *Harness) start(ctx context.Context) error {
	keys := filepath.Join(h.options.Data, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	var err error
	if h.secrets, err = makeSecrets(keys); err != nil {
		return err
	}
	// Set, it is used as it is; the functions and the tools then find the same.
	spannerHost := os.Getenv("SPANNER_EMULATOR_HOST")
	h.stores, err = stores.Start(ctx, stores.Options{
		SpannerPort: h.options.port(9010), PubSubPort: h.options.port(8085), GCSPort: h.options.port(4443),
		AbortRate: h.options.AbortRate, SpannerHost: spannerHost, SpannerBinary: os.Getenv("SPANNER_EMULATOR_BIN"), Log: h.log.part,
	})
	if err != nil {
		return err
	}
	for _, p := range h.stores.Parts() {
		h.adopt(p)
	}
	if err := h.startEdge(ctx); err != nil {
		return err
	}
	if err := h.startFunctions(ctx); err != nil {
		return err
	}
	if err := h.writeEnv(); err != nil {
		return err
	}
	h.adopt(h.keepEnv())
	if h.options.Demo == nil {
		return nil
	}
	return h.options.Demo(ctx, h)
}

// startEdge starts what the functions' environment names.
func (h *Harness) startEdge(ctx context.Context) error {
	var err error
	h.issuer, err = identity.New(identity.Options{
		Dir: filepath.Join(h.options.Data, "keys"), Issuer: issuer, Audience: audience, Now: time.Now, Port: h.options.port(8082),
	})
	if err != nil {
		return err
	}
	if err := h.watch(ctx, h.issuer); err != nil {
		return err
	}
	h.cdn, err = cdn.New(cdn.Options{
		Port: h.options.port(8081), Origin: h.stores.StorageURL, Bucket: audioBucket, Keys: h.secrets.cdnKeys, Log: h.log.part("cdn"),
		Transport: gcp.Bearer{Token: h.stores.Bearer, Base: http.DefaultTransport},
	})
	if err != nil {
		return err
	}
	return h.watch(ctx, h.cdn)
}

// startFunctions starts the functions and what calls them. The stores are
// filled while the functions' process comes up.
func (h *Harness) startFunctions(ctx context.Context) error {
	h.host = cloudrun.New(cloudrun.Options{
		Port: h.options.port(8084), Manifest: h.manifest, Verify: h.issuer.VerifyServiceToken, Env: h.functionEnv(), Log: h.log.part("functions"),
	})
	if err := h.host.Listen(ctx); err != nil {
		return err
	}
	h.push = push.New(push.Options{
		Port: h.options.port(8083), Manifest: h.manifest, Project: project, FunctionURL: h.host.URL, Copies: h.options.Copies, Log: h.log.part("push"),
		Instances: runtime.NumCPU(),
		Token:     func(audience string) (string, error) { return h.issuer.ServiceToken(audience, pushEmail) },
	})
	if err := h.watch(ctx, h.push); err != nil {
		return err
	}
	if err := h.prepare(ctx); err != nil {
		return err
	}
	if err := h.watch(ctx, h.host); err != nil {
		return err
	}
	jobs, err := scheduler.New(scheduler.Options{
		Manifest: h.manifest, FunctionURL: h.host.URL, Now: time.Now, Log: h.log.part("scheduler"),
		Token: func(audience string) (string, error) { return h.issuer.ServiceToken(audience, schedulerEmail) },
	})
	if err != nil {
		return err
	}
	if err := h.watch(ctx, jobs); err != nil {
		return err
	}
	h.gateway = gateway.New(gateway.Options{
		Addr: h.options.Addr, Manifest: h.manifest, FunctionURL: h.host.URL, Log: h.log.part("gateway"),
		Harness: map[string]http.Handler{
			"/_emulators/schedule/":  jobs.Handler(),
			"GET /_emulators/health": http.HandlerFunc(h.health),
		},
	})
	return h.watch(ctx, h.gateway)
}

// prepare makes the database, the buckets and the topics.
func (h *Harness) prepare(ctx context.Context) error {
	return together(ctx,
		func(ctx context.Context) error { return stores.CreateDatabase(ctx, h.stores.SpannerHost, database) },
		func(ctx context.Context) error {
			if err := pubsub.Wire(ctx, h.stores.PubSubHost, project, h.manifest, h.push.URL); err != nil {
				return err
			}
			// A bucket's notifications need their topic.
			return h.createBuckets(ctx)
		})
}

// Data is the folder that the harness keeps things in.
func (h *Harness) Data() string { return h.options.Data }

// Log is the log of something that the harness runs.
func (h *Harness) Log(name string) io.Writer { return h.log.part(name) }
