//go:build linux

package ffmpeg

import (
	"context"
	"errors"
	"io"
	"path/filepath"
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
