package harness

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHarnessPerFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := dir + " is in use by another harness: stop that one, or choose another folder with --data"
	if _, err := lock(dir); err == nil || err.Error() != want {
		t.Errorf("a second lock: %v", err)
	}
	// Nothing starts, and the first one's files stay as they are.
	var out strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // should it start after all
	if err := Run(ctx, Options{Data: dir, Ephemeral: true, Out: &out}); err == nil || err.Error() != want {
		t.Errorf("a second harness: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || files[0].Name() != "lock" || out.String() != "" {
		t.Errorf("it left %v (%v) and said %q", files, err, out.String())
	}
	if other, err := lock(filepath.Join(t.TempDir(), "c")); err != nil {
		t.Errorf("another folder: %v", err)
	} else {
		other()
	}
	unlock()
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	again()
}

func TestFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lock(filepath.Join(file, "data")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("lock below a file: %v", err)
	}
}
