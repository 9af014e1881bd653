// Package harness composes the emulators and the functions into a whole Segue
// on one machine, watches over it, and takes it down again.
//
// # What is kept
//
// In the data folder: keys (keys), objects (objects, by emulators/gcs as they
// come) and rows (spanner.snapshot, by emulators/state, every minute and at a
// clean stop, after the functions and before Spanner). Pub/Sub keeps nothing.
//
// A clean stop loses nothing. After a kill the rows are up to a minute old, and
// the objects are of the last moment. Rows are then older than objects, never
// newer, and that order is the safe one:
//
//   - An object whose row is not in the snapshot is an orphan that nothing leads
//     to. Ids, folders and keys are drawn at random, so it is in no one's way.
//   - A row speaks of objects only once they are written: an attempt becomes
//     complete, and a rendition appears, after its objects. So the objects of a
//     row in the snapshot were written before it.
//   - An object may have been removed after the snapshot. Publish removes only
//     attempts that lost or whose upload failed. Of several complete attempts
//     the earliest is played: if a loser is in the snapshot as complete, so is
//     the winner, and the same choice is made again. The loser's row, without
//     its objects, is dropped at the start (checkObjects); a published row
//     without objects can only come from outside and is refused.
//   - An upload that was under way gets the messages again that Pub/Sub forgot
//     (resumption), and the leases of attempts that died with the functions are
//     ended.
//
// What a client was told in the last minute before a kill, such as the id of an
// upload, may be forgotten. Die during a start, and the snapshot is as it was:
// nothing is exported before all of it is restored.
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
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
)

// Options of a harness.
type Options struct {
	Addr      string // of the API
	Data      string // folder for keys, objects, rows, downloads and env
	Ephemeral bool   // any free ports, for several harnesses side by side
	Copies    int    // how often each event is delivered
	AbortRate float64
	Demo      func(ctx context.Context, h *Harness) error // fills the catalogue before ready
	// Background goes on with it after ready; its failure is only logged.
	Background func(ctx context.Context, h *Harness) error
	// ExportEvery is how often the rows are kept; 0 is a minute.
	ExportEvery time.Duration
	Out         io.Writer
}

// The local project and what lies in it.
const (
	project       = "segue-local"
	database      = "projects/" + project + "/instances/segue/databases/segue"
	uploadsBucket = project + "-uploads"
	audioBucket   = project + "-audio"
	imagesBucket  = project + "-images"
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
	keeper   *keeper
	restored bool // there are rows of an earlier run

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
			if h.options.Background != nil {
				h.adopt(h.goOn())
			}
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
	keys, snapshot := filepath.Join(h.options.Data, "keys"), filepath.Join(h.options.Data, "spanner.snapshot")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	err := checkKeys(snapshot, keys)
	if err != nil {
		return err
	}
	if h.secrets, err = makeSecrets(keys); err != nil {
		return err
	}
	// Set, it is used as it is; the functions and the tools then find the same.
	spannerHost := os.Getenv("SPANNER_EMULATOR_HOST")
	h.stores, err = stores.Start(ctx, stores.Options{
		SpannerPort: h.options.port(9010), PubSubPort: h.options.port(8085), GCSPort: h.options.port(4443),
		AbortRate: h.options.AbortRate, SpannerHost: spannerHost, SpannerBinary: os.Getenv("SPANNER_EMULATOR_BIN"), Log: h.log.part,
		Objects: filepath.Join(h.options.Data, "objects"), Keys: keys,
	})
	if err != nil {
		return err
	}
	for _, p := range h.stores.Parts() {
		h.adopt(p)
	}
	every := h.options.ExportEvery
	if every == 0 {
		every = time.Minute
	}
	// What starts after it stops before it, and writes no rows after the last export.
	h.keeper = newKeeper(snapshot, every, h.log.part("state"))
	h.keeper.alive = h.stores.SpannerHealth
	h.adopt(h.keeper)
	if err := h.startEdge(ctx); err != nil {
		return err
	}
	if err := h.startFunctions(ctx); err != nil {
		return err
	}
	if err := h.resume(ctx); err != nil {
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
		Port: h.options.port(8081), Origin: h.stores.StorageURL, Bucket: audioBucket, Images: imagesBucket, Keys: h.secrets.cdnKeys, Log: h.log.part("cdn"),
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

// prepare makes the database, the buckets and the topics, or finds them as an
// earlier run left them.
func (h *Harness) prepare(ctx context.Context) error {
	err := together(ctx, h.prepareRows, func(ctx context.Context) error {
		if err := pubsub.Wire(ctx, h.stores.PubSubHost, project, h.manifest, h.push.URL); err != nil {
			return err
		}
		// A bucket's notifications need their topic.
		return h.createBuckets(ctx)
	})
	if err != nil {
		return err
	}
	if h.restored {
		storage, err := h.openStorage(ctx)
		if err != nil {
			return err
		}
		defer storage.Close()
		if err := checkObjects(ctx, h.keeper.client, storage.Bucket(audioBucket), h.log.part("state")); err != nil {
			return fmt.Errorf("%w (move the folder %s away to begin anew)", err, h.options.Data)
		}
	}
	h.keeper.begin()
	return nil
}

func (h *Harness) prepareRows(ctx context.Context) error {
	if err := stores.CreateDatabase(ctx, h.stores.SpannerHost, database); err != nil {
		return err
	}
	client, err := stores.OpenDatabase(ctx, h.stores.SpannerHost, database)
	if err != nil {
		return err
	}
	h.restored, err = h.keeper.restore(ctx, client, os.Getenv("SPANNER_EMULATOR_HOST") != "")
	return err
}

// resume sends again what Pub/Sub has forgotten, when the functions can take it.
func (h *Harness) resume(ctx context.Context) error {
	if !h.restored {
		return nil
	}
	storage, err := h.openStorage(ctx)
	if err != nil {
		return err
	}
	defer storage.Close()
	topics, err := h.stores.PubSub(project)
	if err != nil {
		return err
	}
	topic, err := h.uploadsTopic()
	if err != nil {
		return err
	}
	return resumption{
		writer:  &event.Writer{Spanner: h.keeper.client, Publisher: event.NewPublisher(topics), Now: time.Now},
		uploads: storage.Bucket(uploadsBucket), log: h.log.part("state"),
		notify: func(ctx context.Context, a map[string]string) error { return h.stores.Notify(ctx, topic, a) },
	}.run(ctx)
}

// Data is the folder that the harness keeps things in.
func (h *Harness) Data() string { return h.options.Data }

// Log is the log of something that the harness runs.
func (h *Harness) Log(name string) io.Writer { return h.log.part(name) }
