package rotation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// modeVariable makes of the test's program one that re-wraps.
const modeVariable = "SEGUE_TEST_REWRAP"

func TestMain(m *testing.M) {
	if os.Getenv(modeVariable) != "" {
		if err := rewrapAlone(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	emutest.Main(m)
}

func rewrapAlone() error {
	ctx := context.Background()
	c, err := config.Load[struct {
		gcp.Config
		playback.KeyConfig
	}](ctx)
	if err != nil {
		return err
	}
	d := Deps{Now: time.Now}
	if d.Writer, err = event.Open(c.Config); err != nil {
		return err
	}
	if d.Keyset, err = playback.ReadKeyset(ctx, c.Keyset, c.KEK); err != nil {
		return err
	}
	_, err = Rewrap(ctx, d, false, func(Progress) {})
	return err
}

// Killed after its first batch, it is run again and does the rest.
func TestKilledHalfWay(t *testing.T) {
	t.Parallel()
	writer, topics := emutest.Writer(t)
	w := newWorld(t, writer)
	const tracks = batch + 3
	for n := range tracks {
		w.attempt(t, w.instance(t), fmt.Sprintf("t%03d", n))
	}
	w.publish(t, playback.Binding{TrackID: "t000", Format: playback.Ogg, Bitrate: playback.Low, AttemptID: "attempt-t000"})
	first := w.primary(t)
	w.step(t, "add deploy promote deploy")
	w.keep(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(
		os.Environ(), modeVariable+"=1", crash.Variable+"=rewrap:batch", "GORACE=atexit_sleep_ms=0", "SEGUE_PROJECT="+topics.Project(),
		"SEGUE_SPANNER_DATABASE="+writer.Spanner.DatabaseName(), "SEGUE_KEYSET="+w.text, "SEGUE_KEYSET_KEK="+w.kek,
	)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != crash.Status {
		t.Fatalf("it did not die half-way: %v: %s", err, out)
	}
	w.opens(t, "half-way", "new", w.instance(t))
	if uses, _, err := Uses(t.Context(), writer.Spanner); err != nil || uses[first].Total() != 3 || uses[w.primary(t)].Total() != tracks-2 {
		t.Errorf("half-way, the keys wrap %v: %v", uses, err)
	}
	if r, err := Records(t.Context(), writer.Spanner); err != nil || r[w.primary(t)].Rewrapped != nil {
		t.Errorf("half a pass is noted: %v", err)
	}
	if p, err := Rewrap(t.Context(), w.Deps, true, func(Progress) {}); err != nil || p.Stale != 3 || p.Rewrapped != 0 {
		t.Errorf("dry run: %+v, %v", p, err)
	}
	if p := w.rewrap(t); p.Rewrapped != 3 {
		t.Errorf("the rest: %+v", p)
	}
	if p := w.rewrap(t); p.Rewrapped != 0 || p.Pass != 1 {
		t.Errorf("once more: %+v", p)
	}
	w.opens(t, "at the end", "new", w.instance(t))
	if events := ingesttest.Events[*eventpb.CatalogChanged](t, topics); len(events) != 1 || events[0].GetId() != "t000" {
		t.Errorf("events: %v", events)
	}
}

// Publish copies an attempt's key to a rendition at every moment of a pass: no
// old key is left behind it, and no row is bound to another's key.
func TestBesidePublish(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	w := newWorld(t, writer)
	first := w.primary(t)
	var made []playback.Binding
	for n := range 24 {
		made = append(made, w.attempt(t, w.instance(t), fmt.Sprintf("t%03d", n)))
	}
	w.step(t, "add deploy promote deploy")
	w.keep(t)
	done := make(chan error, 1)
	go func() {
		_, err := Rewrap(t.Context(), w.Deps, false, func(Progress) {})
		done <- err
	}()
	for _, b := range made {
		w.publish(t, b)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if uses, _, err := Uses(t.Context(), writer.Spanner); err != nil || uses[first].Total() != 0 || uses[w.primary(t)] != (Use{Attempts: 24, Renditions: 24}) {
		t.Errorf("the keys wrap %v: %v", uses, err)
	}
	w.opens(t, "beside publish", "new", w.instance(t))
}

// The same, with the moments chosen: publish comes after the batch has read what
// is stale, and after the attempts were gone through.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	w := newWorld(t, writer)
	first := w.primary(t)
	b := w.attempt(t, w.instance(t), "t")
	gone := w.attempt(t, w.instance(t), "gone")
	w.step(t, "add deploy promote deploy")
	wrapper, err := w.Keyset.Wrapper()
	if err != nil {
		t.Fatal(err)
	}
	p := pass{d: w.Deps, primary: w.primary(t), wrapper: wrapper, tell: func(Progress) {}}
	seen, err := read(t.Context(), writer.Spanner.Single(), tables[0], spanner.AllKeys(), 0)
	if err != nil {
		t.Fatal(err)
	}
	w.publish(t, b)
	w.apply(t, spanner.Delete("RenditionAttempts", spanner.Key{gone.TrackID}.AsPrefix()))
	if err := p.rows(t.Context(), seen); err != nil || p.at.Rewrapped != 2 {
		t.Errorf("%+v, %v", p.at, err)
	}
	// An instance of before is still at work: passes go on until one is clean, and
	// do not go on for ever.
	before, n := w.instance(t), 0
	w.attempt(t, before, "late")
	_, err = Rewrap(t.Context(), w.Deps, false, func(at Progress) {
		if at.Stale > 0 {
			n++
			w.attempt(t, before, fmt.Sprintf("late%d", n))
		}
	})
	if err == nil || !strings.Contains(err.Error(), "an instance with another keyset is still at work") {
		t.Errorf("it ended with %v", err)
	}
	if p := w.rewrap(t); p.Stale != 0 {
		t.Errorf("%+v", p)
	}
	if uses, _, err := Uses(t.Context(), writer.Spanner); err != nil || uses[first].Total() != 0 {
		t.Errorf("the keys wrap %v: %v", uses, err)
	}
}
