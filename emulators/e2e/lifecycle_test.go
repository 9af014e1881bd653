package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children are the processes that a process started, and theirs.
func children(t *testing.T, pid int) (all []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Fatalf("this test reads /proc: %v", err)
	}
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name before may hold spaces; after it come state and parent.
		rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if parent, err := strconv.Atoi(rest[1]); err == nil && parent == pid {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, child), children(t, child)...)
		}
	}
	return all
}

func assertGone(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for _, pid := range pids {
		for syscall.Kill(pid, 0) == nil && !zombie(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is left", pid)
			}
			wait(t)
		}
	}
}

// zombie says whether a process has ended and only waits to be collected.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.HasPrefix(string(b[bytes.LastIndexByte(b, ')')+1:]), " Z")
}

func startOwn(t *testing.T) (*running, []int) {
	t.Helper()
	r, err := start(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	pids := children(t, r.cmd.Process.Pid)
	if len(pids) < 3 {
		t.Fatalf("children %v: want Spanner, Pub/Sub and the functions at least", pids)
	}
	return r, pids
}

func TestCtrlCLeavesNothing(t *testing.T) {
	t.Parallel()
	r, pids := startOwn(t)
	if err := r.stop(); err != nil {
		t.Errorf("the harness ended with %v", err)
	}
	assertGone(t, pids)
	if _, err := os.Stat(filepath.Join(r.data, "env")); !os.IsNotExist(err) {
		t.Errorf("the file env is left: %v", err)
	}
}

func TestTheDeathOfAPartEndsAllAndIsNamed(t *testing.T) {
	t.Parallel()
	r, pids := startOwn(t)
	victim := 0
	for _, pid := range pids {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(name, []byte("pubsub")) {
			victim = pid
		}
	}
	if victim == 0 {
		t.Fatalf("no Pub/Sub among %v", pids)
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := r.await(); err == nil {
		t.Error("the harness ended as if all were well")
	}
	if !strings.Contains(r.log(), "pubsub died: pubsub ended by itself: signal: killed") {
		t.Errorf("the log does not say what died:\n%s", r.log())
	}
	assertGone(t, pids)
}

func TestAKilledHarnessLeavesNothing(t *testing.T) {
	t.Parallel()
	r, pids := startOwn(t)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	assertGone(t, pids)
}

func TestASecondHarnessInTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	_, err := start(segue.data)
	if err == nil || !strings.Contains(err.Error(), "is in use by another harness") {
		t.Errorf("a second harness: %v", err)
	}
}
