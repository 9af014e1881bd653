// Package pubsub runs Google's Pub/Sub emulator, and makes in it the topics
// and subscriptions that Terraform makes in production. It keeps nothing
// between runs. It is not where events are delivered to functions: that is
// emulators/push, to which the subscriptions point.
package pubsub

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/segue-audio/segue/emulators/part"
)

// Options says which emulator to run, and where.
type Options struct {
	Jar  string // the emulator's jar; empty finds that of the gcloud CLI
	Port int    // 0 takes any free port
	Log  io.Writer
}

// Emulator is the running program.
type Emulator struct {
	options Options
	process *part.Process
	conn    *grpc.ClientConn
	host    string
}

var _ part.Part = (*Emulator)(nil)

// New makes an emulator that has yet to be started.
func New(o Options) *Emulator {
	if o.Log == nil {
		o.Log = io.Discard
	}
	return &Emulator{options: o}
}

// Name is the part's name.
func (e *Emulator) Name() string { return "pubsub" }

// Host is host:port, what PUBSUB_EMULATOR_HOST is set to.
func (e *Emulator) Host() string { return e.host }

// Start runs the emulator and returns when it answers.
func (e *Emulator) Start(ctx context.Context) error {
	java, jar, err := e.options.find()
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name(), err)
	}
	port := e.options.Port
	if port == 0 {
		if port, err = part.FreePort(ctx); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	e.host = fmt.Sprintf("127.0.0.1:%d", port)
	// ctx bounds the start alone; Stop ends the program.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), java, "-Xmx256m", "-jar", jar,
		"--host=127.0.0.1", fmt.Sprintf("--port=%d", port))
	if e.process, err = part.StartProcess(e.Name(), e.options.Log, cmd); err != nil {
		return err
	}
	if e.conn, err = grpc.NewClient(e.host, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return e.abandon(ctx, err)
	}
	if err := e.await(ctx); err != nil {
		return e.abandon(ctx, err)
	}
	return nil
}

func (e *Emulator) abandon(ctx context.Context, cause error) error {
	// Even a start that ran out of time leaves no process.
	_ = e.Stop(context.WithoutCancel(ctx))
	return fmt.Errorf("start %s: %w", e.Name(), cause)
}

func (e *Emulator) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.Health(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case failure := <-e.process.Failed():
			return failure
		case <-tick.C:
			// A start-up is shorter than gRPC's back-off between connections.
			e.conn.ResetConnectBackoff()
		}
	}
}

// Health lists topics over gRPC.
func (e *Emulator) Health(ctx context.Context) error {
	if e.conn == nil {
		return fmt.Errorf("%s does not run", e.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := pubsubpb.NewPublisherClient(e.conn).ListTopics(ctx, &pubsubpb.ListTopicsRequest{Project: "projects/health"})
	if err != nil {
		return fmt.Errorf("%s: list topics: %w", e.Name(), err)
	}
	return nil
}

// Stop ends the emulator.
func (e *Emulator) Stop(ctx context.Context) error {
	if e.conn != nil {
		// A second Close says only that it was the second.
		_ = e.conn.Close()
	}
	if e.process == nil {
		return nil
	}
	return e.process.Stop(ctx)
}

// Failed delivers an error when the started emulator ends by itself.
func (e *Emulator) Failed() <-chan error {
	if e.process == nil {
		return nil
	}
	return e.process.Failed()
}
