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
	"path/filepath"
	"sync"
	"time"

	"github.com/segue-audio/segue/emulators/cdn"
	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/emulators/faults"
	"github.com/segue-audio/segue/emulators/gateway"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/emulators/push"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/functions"
)

// Options of a harness.
type Options struct {
	Addr      string   // of the API
	Data      string   // folder for keys, objects, rows, downloads and env
	Ephemeral bool     // any free ports, for several harnesses side by side
	Copies    int      // how often each event is delivered
	Separate  []string // functions that run alone in their process, or cloudrun.Every
	AbortRate float64
	Faults    bool                                        // proxies between the functions and the stores
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
	faults   *faults.Faults // nil without Options.Faults
	cdn      *cdn.CDN
	host     *cloudrun.Host
	push     *push.Push
	gateway  *gateway.Gateway
	keeper   *keeper
	restored bool // there are rows of an earlier run

	mu        sync.Mutex
	parts     []part.Part // in the order in which they started
	tracks    []string    // of the demo
	envMu     sync.Mutex  // held while the file env is written
	deploying sync.Mutex  // held during a deployment
	failed    chan error
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

// Data is the folder that the harness keeps things in.
func (h *Harness) Data() string { return h.options.Data }

// Log is the log of something that the harness runs.
func (h *Harness) Log(name string) io.Writer { return h.log.part(name) }
