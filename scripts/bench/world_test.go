package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/functions"
)

func loaded(t *testing.T) *functions.Manifest {
	t.Helper()
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Without stores, rows that need them fail by the same sentence, and no other.
func TestWithoutStores(t *testing.T) {
	t.Parallel()
	w := &world{dir: t.TempDir(), manifest: loaded(t), getenv: func(string) string { return "" }, progress: io.Discard}
	for _, rows := range [][]row{overheadRows(w), paceRows(w), memoryRows(w), longRows(w), costRows(w), requestRows(w), pressRows(w), effectRows(w), startRows(w), loadRows(w, minute)} {
		for _, r := range rows {
			if _, err := r.measure(t.Context(), 0); !errors.Is(err, errNoStores) {
				t.Errorf("%s: %v", r.name, err)
			}
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	rows, closing, err := catalogue(&app{err: io.Discard, getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
		if r.unit == "" || r.how == "" || r.measure == nil {
			t.Errorf("%+v is incomplete", r)
		}
	}
	for _, f := range loaded(t).Functions {
		if !slices.Contains(names, "memory."+f.Name) {
			t.Errorf("no row is of the memory of %s", f.Name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("two rows share a name: %q", names)
	}
	if err := closing(); err != nil {
		t.Error(err)
	}
}

// TestWorld takes a short track all the way, in this process and in functions of
// their own. It is alone: a world is the environment of its process.
func TestWorld(t *testing.T) {
	for _, v := range append(os.Environ(), "SEGUE_PROJECT=", "SEGUE_SPANNER_DATABASE=", "SEGUE_KEYSET=", "SEGUE_KEYSET_KEK=",
		"SEGUE_TOKEN_ISSUER=", "SEGUE_TOKEN_AUDIENCE=", "SEGUE_JWKS_URL=", "SEGUE_CDN_URL=", "SEGUE_CDN_KEY_NAME=", "SEGUE_CDN_KEY=", "SEGUE_IMAGES_URL=", "SEGUE_RATE_LIMITS=") {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	emutest.Start(t)
	w := &world{dir: t.TempDir(), manifest: loaded(t), getenv: os.Getenv, progress: io.Discard}
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := w.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	testPresses(t, w)
	file, err := w.flac(t.Context(), 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	u, first, err := w.announce(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.work(t.Context(), first); err != nil {
		t.Error(err)
	}
	if _, err := w.playable(t.Context(), u.ID); err != nil {
		t.Error(err)
	}
	all, err := w.walkOf(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range w.manifest.Functions {
		p, worked := all.peaks[f.Name]
		if !worked || p.err != nil || p.process < 10*mebi {
			t.Errorf("%s: %v, %+v", f.Name, worked, p)
		}
		if strings.HasSuffix(f.BaseImage, "-full") && (p.children < mebi || p.files == 0) {
			t.Errorf("%s runs ffmpeg on a file, but %v was seen", f.Name, p)
		}
	}
	if all.slowest == nil || all.busy[transcode] <= 0 {
		t.Errorf("the slowest rendition is %v, after %v", all.slowest, all.busy)
	}
	// What fails for good is no figure.
	noise := filepath.Join(w.dir, "noise")
	if err := os.WriteFile(noise, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if u, first, err = w.announce(t.Context(), noise); err == nil {
		err = w.work(t.Context(), first)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.playable(t.Context(), u.ID); err == nil || !strings.Contains(err.Error(), "failed, not playable: not audio") {
		t.Errorf("zeros are playable: %v", err)
	}
}

// What cannot be delivered is tried as often as Pub/Sub would, then told.
func TestDeliveryThatFails(t *testing.T) {
	t.Parallel()
	w := &world{manifest: loaded(t)}
	err := w.work(t.Context(), []delivery{{function: "no-such", topic: "x"}})
	if err == nil || !strings.Contains(err.Error(), "no-such on x, 10 times: the manifest has an event function no-such, but this build links none") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.work(ctx, []delivery{{function: "no-such"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWatchSeesChildrenAndFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 12345), 0o600); err != nil {
		t.Fatal(err)
	}
	// A shell that waits for a child, which holds some memory until it is let go.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `head -c 30000000 /dev/zero | tail -c 30000000 >/dev/null; echo done; sh -c 'read x'; true`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := startWatch(cmd.Process.Pid, dir)
	b := make([]byte, 5)
	if _, err := io.ReadFull(out, b); err != nil {
		t.Error(err)
	}
	w.end()
	if p := w.peaks; p.err != nil || p.process <= 0 || p.files != 12345 || p.total() != p.process+p.children+p.files {
		t.Errorf("%+v", p)
	}
	if own, err := peakResident(os.Getpid()); err != nil || own < 5*mebi {
		t.Errorf("this process's peak is %d, %v", own, err)
	}
	if !slices.Contains(childrenOf(os.Getpid()), cmd.Process.Pid) {
		t.Error("a child is not seen")
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	gone := startWatch(cmd.Process.Pid, dir)
	gone.end()
	if gone.peaks.err == nil {
		t.Error("a process that is gone has a peak")
	}
}
