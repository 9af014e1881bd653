package part

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStopLetsAProgramFinishWithItsChildren(t *testing.T) {
	t.Parallel()
	p, child, out := run(t, "works")
	for range 2 { // the second one has nothing to do
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := out.until(t, "child says "); got != "still there" {
		t.Errorf("the child said %q", got)
	}
	gone(t, p.PID())
	gone(t, child)
	select {
	case err := <-p.Failed():
		t.Errorf("a stop counts as a failure: %v", err)
	default:
	}
	wait(t, p.Ended())
}

func TestStopEndsAStubbornProgramAndItsChildren(t *testing.T) {
	t.Parallel()
	p, child, out := run(t, "stubborn")
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(ctx) }()
	out.until(t, "asked") // in vain
	cancel()
	if err := wait(t, stopped); err != nil {
		t.Error(err)
	}
	gone(t, p.PID())
	gone(t, child)
}

func TestProgramThatEndsByItself(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode, want string
		kill       bool
	}{
		{"ends", "program ended by itself: exit status 0", false},
		{"fails", "program ended by itself: exit status 7", false},
		{"works", "program ended by itself: signal: killed", true},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			p, child, _ := run(t, test.mode)
			if test.kill {
				if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			wait(t, p.Ended())
			// Whoever learns that it ended finds the reason.
			select {
			case err := <-p.Failed():
				if !strings.Contains(err.Error(), test.want) {
					t.Errorf("failed = %v, want %q", err, test.want)
				}
			default:
				t.Error("it ended without a reason")
			}
			gone(t, child) // nothing that it started is left
			if err := p.Stop(t.Context()); err != nil {
				t.Errorf("stop afterwards: %v", err)
			}
		})
	}
}

func TestProgramThatDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ binary, want string }{
		"not in the PATH": {"segue-no-such-program", "spanner is missing: run scripts/setup"},
		"no such file":    {filepath.Join(t.TempDir(), "emulator_main"), "spanner is missing: run scripts/setup"},
		"not executable":  {t.TempDir(), "start spanner: "},
	} {
		p, err := StartProcess("spanner", io.Discard, exec.CommandContext(t.Context(), test.binary))
		if err == nil || p != nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), filepath.Base(test.binary)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
