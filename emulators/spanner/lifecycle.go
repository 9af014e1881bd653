package spanner

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/segue-audio/segue/emulators/part"
)

const (
	startLimit = 30 * time.Second
	stopGrace  = 5 * time.Second
	// maxMessage is above the 100 MiB that Spanner allows in a commit.
	maxMessage = 128 << 20
)

// Start implements part.Part.
func (e *Emulator) Start(ctx context.Context) error {
	if e.options.AbortRate < 0 || e.options.AbortRate > 1 {
		return fmt.Errorf("spanner: an abort rate of %v is not between 0 and 1", e.options.AbortRate)
	}
	if err := e.start(ctx); err != nil {
		_ = e.Stop(context.WithoutCancel(ctx))
		return fmt.Errorf("spanner: %w", err)
	}
	return nil
}

func (e *Emulator) start(ctx context.Context) (err error) {
	binary, err := findBinary(ctx, e.options.Binary)
	if err != nil {
		return err
	}
	port, err := part.FreePort(ctx)
	if err != nil {
		return err
	}
	host := fmt.Sprintf("127.0.0.1:%d", port)
	// The emulator outlives the call that starts it. Its own faults stay off:
	// the proxy's can be set and repeated.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), binary,
		"--host_port="+host, "--enable_fault_injection=false")
	if e.process, err = part.StartProcess(name, e.options.Log, cmd); err != nil {
		return err
	}
	if e.upstream, err = dial(host); err != nil {
		return err
	}
	if err := e.awaitUpstream(ctx); err != nil {
		return err
	}
	if e.listener, err = part.Listen(ctx, e.options.Port); err != nil {
		return err
	}
	e.server = newServer(e.upstream, newProxy(e.upstream, e.options))
	e.watched = make(chan struct{})
	go e.watch()
	return nil
}

func (e *Emulator) awaitUpstream(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	go func() {
		select {
		case <-e.process.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := ping(ctx, e.upstream)
	if err == nil {
		return nil
	}
	select {
	case <-e.process.Ended():
		return <-e.process.Failed()
	default:
		return fmt.Errorf("the emulator does not answer: %w", err)
	}
}

// watch serves and reports whichever of the two ends first without Stop.
func (e *Emulator) watch() {
	defer close(e.watched)
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(e.listener) }()
	select {
	case err := <-e.process.Failed():
		e.failed <- err
	case err := <-served:
		select {
		case <-e.stopping:
		default:
			e.failed <- fmt.Errorf("spanner proxy ended by itself: %w", err)
		}
	case <-e.stopping:
	}
}

// Stop implements part.Part: calls in flight have five seconds, or until ctx
// ends, before they are cut.
func (e *Emulator) Stop(ctx context.Context) error {
	select {
	case <-e.stopping:
	default:
		close(e.stopping)
	}
	if e.server != nil {
		cut := time.AfterFunc(stopGrace, e.server.Stop)
		stop := context.AfterFunc(ctx, e.server.Stop)
		e.server.GracefulStop()
		cut.Stop()
		stop()
		<-e.watched
	}
	if e.upstream != nil {
		closeConn(e.upstream)
	}
	if e.process == nil {
		return nil
	}
	return e.process.Stop(ctx)
}

// dial retries quickly, since the emulator is up within a second of its start.
func dial(host string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+host,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second},
			MinConnectTimeout: startLimit,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
}

// closeConn: a connection that is already closed is as closed as it can be.
func closeConn(cc *grpc.ClientConn) { _ = cc.Close() }

func ping(ctx context.Context, cc *grpc.ClientConn) error {
	_, err := instancepb.NewInstanceAdminClient(cc).ListInstanceConfigs(ctx,
		&instancepb.ListInstanceConfigsRequest{Parent: "projects/health"}, grpc.WaitForReady(true))
	return err
}
