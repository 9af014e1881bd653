// Package spanner is the local Spanner: Google's own emulator behind a gRPC
// proxy that adds what the emulator lacks and the Go client needs.
//
// The client puts every transaction on one multiplexed session. The emulator
// takes a multiplexed session for an ordinary one, which carries a single
// transaction at a time, so concurrent calls fail. The proxy gives each
// transaction an ordinary session of its own. It also aborts a share of the
// commits, as production may at any time, so that code which cannot be retried
// is found here.
//
// It is not a Spanner: queries, schemas and errors are the emulator's, the
// emulator runs one read-write transaction at a time and keeps nothing when it
// stops.
package spanner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"

	"google.golang.org/grpc"

	"github.com/segue-audio/segue/emulators/part"
)

const name = "spanner"

// Options configure an Emulator.
type Options struct {
	// Port is the proxy's; 0 takes any free port. The emulator behind it always
	// has a free one.
	Port int
	// AbortRate is the share of commits, from 0 to 1, that end with ABORTED.
	AbortRate float64
	// Rand returns a number in [0, 1) and decides which commits abort; nil takes
	// math/rand/v2. Calls never overlap.
	Rand func() float64
	// Log takes the emulator's output; nil drops it.
	Log io.Writer
	// Binary is the path of Google's emulator_main; "" looks for it where the
	// gcloud CLI puts it.
	Binary string
}

// Emulator is the emulator's process and the proxy in front of it.
type Emulator struct {
	options  Options
	failed   chan error
	stopping chan struct{}

	listener net.Listener
	process  *part.Process
	upstream *grpc.ClientConn
	server   *grpc.Server
	watched  chan struct{}
}

var _ part.Part = (*Emulator)(nil)

// New returns an emulator that has not started.
func New(o Options) *Emulator {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return &Emulator{options: o, failed: make(chan error, 1), stopping: make(chan struct{})}
}

// Name implements part.Part.
func (e *Emulator) Name() string { return name }

// Host is the proxy's host:port, the value of SPANNER_EMULATOR_HOST. It is
// empty before Start.
func (e *Emulator) Host() string {
	if e.listener == nil {
		return ""
	}
	return e.listener.Addr().String()
}

// Failed implements part.Part.
func (e *Emulator) Failed() <-chan error { return e.failed }

// Health implements part.Part: it lists the instance configurations, which
// takes the proxy and the emulator to answer.
func (e *Emulator) Health(ctx context.Context) error {
	if e.listener == nil {
		return errors.New("spanner has not started")
	}
	cc, err := dial(e.Host())
	if err != nil {
		return fmt.Errorf("spanner proxy: %w", err)
	}
	defer closeConn(cc)
	if err := ping(ctx, cc); err != nil {
		return fmt.Errorf("spanner does not answer: %w", err)
	}
	return nil
}
