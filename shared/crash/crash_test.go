package crash_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	"github.com/segue-audio/segue/shared/crash"
)

// TestMain makes of the test's program one that passes two points.
func TestMain(m *testing.M) {
	if os.Getenv("SEGUE_TEST_CHILD") == "" {
		os.Exit(leak.Main(m.Run))
	}
	child()
}

func child() {
	defer fmt.Println("cleaned up")
	crash.Point("a:first")
	fmt.Println("between")
	crash.Point("a:second")
}

// The process ends at the named point and nowhere else, without its clean-up.
func TestPoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at     string
		status int
		out    string
	}{
		{"", 0, "between cleaned up"},
		{"a", 0, "between cleaned up"},
		{"a:third", 0, "between cleaned up"},
		{"a:first", crash.Status, "crash at a:first"},
		{"a:second", crash.Status, "between crash at a:second"},
	} {
		t.Run(tt.at, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SEGUE_TEST_CHILD=1", crash.Variable+"="+tt.at)
			out, err := cmd.CombinedOutput()
			status := 0
			if exit := new(exec.ExitError); errors.As(err, &exit) {
				status = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(string(out)), " "); status != tt.status || got != tt.out {
				t.Errorf("ended with %d: %q; want %d: %q", status, got, tt.status, tt.out)
			}
		})
	}
}

// Armed, a point ends one process, at its next pass; the next one passes.
func TestArm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func() (int, string) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SEGUE_TEST_CHILD=1", crash.Folder+"="+dir)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), strings.Join(strings.Fields(string(out)), " ")
	}
	for _, point := range []string{"a:second", "b:never"} {
		if err := crash.Arm(dir, point); err != nil {
			t.Fatal(err)
		}
	}
	if status, out := run(); status != crash.Status || out != "between crash at a:second" {
		t.Errorf("armed, it ended with %d: %q", status, out)
	}
	if all, err := crash.Armed(dir); err != nil || len(all) != 1 || all[0] != "b:never" {
		t.Errorf("armed are %q, %v", all, err)
	}
	if status, out := run(); status != 0 || out != "between cleaned up" {
		t.Errorf("the next one ended with %d: %q", status, out)
	}
	for _, bad := range []string{"", "outbox", "outbox:", ":committed", "../x:y", "a/b:c", "a:b:c", "A:b", "a:b "} {
		if err := crash.Arm(dir, bad); err == nil || !strings.Contains(err.Error(), "is no crash point") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := crash.Arm(dir+"/none", "a:first"); err == nil {
		t.Error("a folder that is not there was armed")
	}
}
