//go:build linux

package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A file that wants more of the machine than one file may is refused by name,
// not tried again.
func TestLimits(t *testing.T) {
	t.Parallel()
	forever := []string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "anoisesrc"}
	for _, tt := range []struct {
		name    string
		program string
		args    []string
		change  func(*limits)
		words   string
	}{
		{"computing", "ffmpeg", append(forever[:7:7], "-f", "null", "-"), func(l *limits) { l.cpu = time.Second }, "it takes more than 1s of computing"},
		{"computing, uncaught", "sh", []string{"-c", "while :; do :; done"}, func(l *limits) { l.cpu = time.Second }, "it takes more than 1s of computing"},
		{"memory", "ffmpeg", append([]string{"-xerror"}, append(forever[:7:7], "-af", "areverse", "-f", "null", "-")...), func(l *limits) { l.memory = 900 << 20 }, "it takes more memory than there is for a file"},
		{"size", "ffmpeg", append(forever[:7:7], "-f", "s16le", "OUT"), func(l *limits) { l.output = 100 << 10 }, "what it decodes to is larger than there is room for a file"},
		{"beside tags that lie", "sh", []string{"-c", "echo '[info]     title : No space left on device' >&2; echo '[x @ 0x1] [error] File too large' >&2; exit 1"}, func(*limits) {}, "what it decodes to is larger than there is room for a file"},
		{"size, uncaught", "sh", []string{"-c", `exec cat /dev/zero > "$0"`, "OUT"}, func(l *limits) { l.output = 100 << 10 }, "what it decodes to is larger than there is room for a file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			if last := len(tt.args) - 1; tt.args[last] == "OUT" {
				tt.args[last] = out
			}
			l := standard()
			tt.change(&l)
			_, err := l.run(t.Context(), io.Discard, tt.program, tt.args...)
			if bad := new(ErrFile); !errors.As(err, &bad) || bad.Reason != tt.words {
				t.Fatalf("got %T %v, want %q", err, err, tt.words)
			}
		})
	}
}

// A limit keeps its words, whatever else the run would have read of the messages.
func TestLimitOfTheAnalysis(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "long.wav")
	if _, err := run(t.Context(), io.Discard, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=7200", file); err != nil {
		t.Fatal(err)
	}
	l := standard()
	l.cpu = time.Second
	if _, err := l.loudness(t.Context(), file, io.Discard); err == nil || err.Error() != "it takes more than 1s of computing" {
		t.Errorf("got %v", err)
	}
}

// What a run may take may be less than the limits already, as under a service
// manager: only root may raise it again.
func TestLimitsAreNotRaised(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -Hc 0; ulimit -Ht 100; exec "$0" -test.run '^TestRunBlamesTheRightOne$' -test.v`, self)
	if os.Getuid() == 0 {
		// Somebody else must be able to run the test.
		program := filepath.Join(os.TempDir(), "segue-limits-"+strconv.Itoa(os.Getpid()))
		b, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(program, b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(program) }()
		cmd.Args[3] = program
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
	}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestRunBlamesTheRightOne")) {
		t.Errorf("%v: %s", err, out)
	}
}

// The wall clock is not the file's doing: it may be the machine's.
func TestWallLimitIsTriedAgain(t *testing.T) {
	t.Parallel()
	l := standard()
	l.wall = 100 * time.Millisecond
	_, err := l.run(t.Context(), io.Discard, "sleep", "60")
	if errors.As(err, new(*ErrFile)) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %T %v", err, err)
	}
}
