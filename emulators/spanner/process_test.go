package spanner

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/segue-audio/segue/emulators/part"
)

func TestStopLeavesNoProcessAndNoListener(t *testing.T) {
	e := startEmulator(t, Options{})
	pid := e.process.PID()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the emulator does not run: %v", err)
	}
	if err := e.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one has nothing to do
		if err := e.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(-pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process group %d is still there: %v", pid, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := e.Health(ctx); err == nil {
		t.Error("the proxy still answers")
	}
	select {
	case err := <-e.Failed():
		t.Errorf("Stop counts as a failure: %v", err)
	default:
	}
}

func TestKilledEmulatorSaysWhy(t *testing.T) {
	e := startEmulator(t, Options{})
	if err := syscall.Kill(e.process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-e.Failed():
		if !strings.Contains(err.Error(), "spanner") || !strings.Contains(err.Error(), "killed") {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing on Failed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := e.Health(ctx); err == nil {
		t.Error("a dead emulator is healthy")
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Errorf("stop after death: %v", err)
	}
}

func TestStopCutsCallsWhenItsContextEnds(t *testing.T) {
	e := startEmulator(t, Options{})
	cc, err := dial(e.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(cc)
	// The server waits for a request that never comes.
	if _, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/x.Y/Z"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > stopGrace/2 {
		t.Errorf("stop took %v", took)
	}
}

func TestStartFailsWithTheReasonAndLeavesNothing(t *testing.T) {
	l, err := part.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	for _, tc := range []struct {
		name string
		o    Options
		want string
	}{
		{"port taken", Options{Port: taken}, strconv.Itoa(taken)},
		{"abort rate above one", Options{AbortRate: 1.5}, "1.5"},
		{"no such binary", Options{Binary: filepath.Join(t.TempDir(), "none")}, "none"},
		{"binary that ends", Options{Binary: "/bin/false"}, "exit status 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := New(tc.o)
			err := e.Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
			if e.process != nil {
				select {
				case <-e.process.Ended():
				default:
					t.Error("the emulator still runs")
				}
			}
			if err := e.Stop(t.Context()); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

func TestPartThatNeverStartedStops(t *testing.T) {
	e := New(Options{})
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if e.Host() != "" || e.Health(t.Context()) == nil {
		t.Error("it has an address or is healthy")
	}
}
