package rotation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// At each step instances with the keyset of before run beside those with the
// new one: both open all that there is, also what the other wraps.
func TestEveryStepBesideInstancesOfBefore(t *testing.T) {
	t.Parallel()
	writer, topics := emutest.Writer(t)
	w := newWorld(t, writer)
	before := w.instance(t)
	w.publish(t, w.attempt(t, before, "t1"))
	w.attempt(t, before, "t2")
	w.deploy(t)
	first := w.primary(t)
	var second uint32
	for i, step := range []struct {
		name string
		do   func() error
	}{
		{"add", func() (err error) { second, err = Add(t.Context(), w.Deps); return err }},
		{"promote", func() error {
			id, err := Promote(t.Context(), w.Deps)
			if id != second {
				t.Errorf("promoted %d, not %d", id, second)
			}
			return err
		}},
		{"rewrap", func() error {
			if p := w.rewrap(t); p.Rewrapped != 6 || p.Pass != 2 || p.Seen != 7 || p.Stale != 0 {
				t.Errorf("rewrap: %+v", p)
			}
			w.pass(playback.RewrapSettles)
			return nil
		}},
		{"retire", func() error { return Retire(t.Context(), w.Deps, first, false) }},
		{"destroy", func() error { return Retire(t.Context(), w.Deps, first, true) }},
	} {
		w.reopen(t)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		w.keep(t)
		after := w.instance(t)
		// Both are at work until the old ones are gone.
		for n, by := range []*playback.Wrapper{before, after} {
			w.attempt(t, by, step.name+string(rune('a'+n)))
		}
		w.opens(t, step.name, "former", before)
		w.opens(t, step.name, "new", after)
		if want := map[bool]uint32{false: first, true: second}[i > 0]; w.primary(t) != want {
			t.Errorf("%s: the primary is %d, not %d", step.name, w.primary(t), want)
		}
		w.deploy(t)
		before = after
		w.pass(time.Minute)
	}
	if uses, unknown, err := Uses(t.Context(), writer.Spanner); err != nil || unknown.Total() != 0 || len(uses) != 1 || uses[second] != (Use{Attempts: 12, Renditions: 1}) {
		t.Errorf("the keys wrap %v, %v: %v", uses, unknown, err)
	}
	// Only t1 has renditions, which caches hold.
	if events := ingesttest.Events[*eventpb.CatalogChanged](t, topics); len(events) != 1 || events[0].GetKind() != "track" || events[0].GetId() != "t1" {
		t.Errorf("events: %v", events)
	}
}

// step does the named steps as an operator would.
func (w *world) step(t *testing.T, names string) {
	t.Helper()
	for name := range strings.FieldsSeq(names) {
		var err error
		switch name {
		case "add":
			_, err = Add(t.Context(), w.Deps)
		case "promote":
			_, err = Promote(t.Context(), w.Deps)
		case "retire":
			err = Retire(t.Context(), w.Deps, w.first, false)
		case "rewrap":
			w.rewrap(t)
		case "settle":
			w.pass(playback.RewrapSettles)
		case "deploy":
			w.deploy(t)
		case "demote": // a step back, with both keys
			err = w.Keyset.Promote(w.first)
		case "back": // to the keyset of the begin
			w.reopen(t)
		case "late": // an instance of the begin is still at work
			w.publish(t, w.attempt(t, w.instance(t), "late"))
			w.attempt(t, w.instance(t), "later")
		default:
			t.Fatalf("no step %q", name)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	add := func(w *world) error { _, err := Add(t.Context(), w.Deps); return err }
	promote := func(w *world) error { _, err := Promote(t.Context(), w.Deps); return err }
	rewrap := func(w *world) error {
		_, err := Rewrap(t.Context(), w.Deps, false, func(Progress) {})
		return err
	}
	retire := func(w *world) error { return Retire(t.Context(), w.Deps, w.first, false) }
	destroy := func(w *world) error { return Retire(t.Context(), w.Deps, w.first, true) }
	for _, test := range []struct {
		after, says string
		last        func(w *world) error
		forced      bool // --force does it all the same
	}{
		{"add", "waits to be promoted", add, true},
		{"", "is the primary already: add one first", promote, false},
		{"add", "is not known to all instances yet", promote, true},
		{"add deploy back deploy add", "is not known to all instances yet", promote, true},
		{"add deploy promote", "deploy the keyset first", rewrap, true},
		{"deploy", "is the primary: promote another first", retire, false},
		{"deploy", "has no key 7", func(w *world) error { return Retire(t.Context(), w.Deps, 7, false) }, false},
		{"add deploy promote deploy", "run rewrap", retire, true},
		{"add deploy promote", "is not known to be the primary", retire, true},
		{"add deploy promote deploy rewrap settle demote deploy promote deploy", "run rewrap", retire, true},
		{"add deploy promote deploy rewrap", "in 30m0s, caches have forgotten", retire, true},
		{"add deploy promote deploy rewrap settle late", "still wraps 3 rows (2 attempts, 1 renditions)", retire, false},
		{"add deploy promote deploy rewrap settle", "is enabled: retire it without --destroy", destroy, false},
		{"add deploy promote deploy rewrap settle retire", "is disabled already", retire, false},
		{"add deploy promote deploy rewrap settle retire", "instances still have key", destroy, true},
		{"add deploy promote deploy rewrap settle retire deploy late", "still wraps 3 rows", destroy, false},
	} {
		w := newWorld(t, writer)
		w.first = w.primary(t)
		w.step(t, test.after)
		for _, force := range []bool{false, true} {
			w.Force = force
			err := test.last(w)
			if force && test.forced {
				if err != nil {
					t.Errorf("after %q, with force: %v", test.after, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("after %q, force %v: %v, want %q", test.after, force, err, test.says)
			}
		}
		w.apply(t, spanner.Delete("Tracks", spanner.AllKeys()), spanner.Delete("KeysetKeys", spanner.AllKeys()))
	}
}

// What the prefixes say is tried: rows that would not open any more are counted.
func TestLost(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	w := newWorld(t, writer)
	full := w.instance(t)
	w.publish(t, w.attempt(t, full, "t"))
	other := newWorld(t, writer)
	broken := other.attempt(t, other.instance(t), "broken") // opens with neither
	n, first, err := lost(t.Context(), writer.Spanner, full, newWorld(t, writer).instance(t))
	if err != nil || n != 2 || !strings.HasPrefix(first.Error(), "RenditionAttempts of track t, ogg 96, attempt attempt-t: ") {
		t.Errorf("%d rows are lost, the first %v: %v", n, first, err)
	}
	if n, _, err := lost(t.Context(), writer.Spanner, full, full); n != 0 || err != nil {
		t.Errorf("%d rows are lost to the same keyset: %v", n, err)
	}
	// A row that nothing opens is named, and ends no pass well.
	w.deploy(t)
	p, err := Rewrap(t.Context(), w.Deps, false, func(Progress) {})
	var b *BrokenError
	if !errors.As(err, &b) || b.Rows != 1 || p.Broken != 1 || !strings.Contains(err.Error(), broken.AttemptID) {
		t.Errorf("a broken row: %+v, %v", p, err)
	}
	if r, err := Records(t.Context(), writer.Spanner); err != nil || r[w.primary(t)].Rewrapped != nil {
		t.Errorf("a pass with a broken row is noted: %v", err)
	}
}
