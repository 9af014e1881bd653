package pubsub

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buffer is a log that the emulator may write to while a test reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Len()
}

func startOne(t *testing.T, o Options) *Emulator {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e := New(o)
	if err := e.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Stop(context.WithoutCancel(t.Context())) })
	return e
}

func TestStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	e := startOne(t, Options{Log: log})
	if err := e.Health(t.Context()); err != nil {
		t.Error(err)
	}
	group := -e.process.PID()
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to the emulator's process group: %v", err)
	}
	if e.Health(t.Context()) == nil {
		t.Error("the stopped part says that it is well")
	}
	select {
	case err := <-e.Failed():
		t.Errorf("a stop is reported as a failure: %v", err)
	default:
	}
	if log.Len() == 0 {
		t.Error("the emulator's lines did not reach the log")
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestKilledEmulatorFails(t *testing.T) {
	t.Parallel()
	e := startOne(t, Options{})
	if err := syscall.Kill(e.process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-e.Failed():
		if !strings.Contains(err.Error(), "pubsub ended by itself") {
			t.Errorf("error = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("no failure was reported")
	}
}

func TestStartOutOfTimeLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e := New(Options{})
	if err := e.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v", err)
	}
	if err := syscall.Kill(-e.process.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to the emulator's process group: %v", err)
	}
}

func TestStartSaysWhatToInstall(t *testing.T) {
	empty := t.TempDir()
	for _, test := range []struct {
		name, path, jar, want string
	}{
		{"no jar", "", filepath.Join(empty, "emulator.jar"), "gcloud components install pubsub-emulator"},
		{"no java", empty, "", "default-jre-headless"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.path != "" {
				t.Setenv("PATH", test.path)
			}
			e := New(Options{Jar: test.jar})
			err := e.Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
			if err := e.Stop(t.Context()); err != nil {
				t.Errorf("stop of what never started: %v", err)
			}
		})
	}
}
