package event_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
)

// Die where it may, nothing is lost and no event tells of what did not happen.
func TestDeathInWriteLosesNothing(t *testing.T) {
	t.Parallel()
	for point, c := range map[string]struct{ status, published, left int }{
		"":                 {status: 0, published: 1, left: 0},
		"outbox:committed": {status: crash.Status, published: 0, left: 1},
		"outbox:published": {status: crash.Status, published: 1, left: 1},
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w, topics := emutest.Writer(t)
			artist := newID()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), writeInto+"="+w.Spanner.DatabaseName(), "SEGUE_PROJECT="+topics.Project(),
				"SEGUE_TEST_ARTIST="+artist, crash.Variable+"="+point)
			out, err := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Fatalf("the process ended with %d, %v:\n%s", got, err, out)
			}
			if n := count(t, w.Spanner, "Artists", "ArtistId"); n != 1 {
				t.Errorf("%d rows are written", n)
			}
			left, before := outbox(t, w), emutest.Received(t, topics, topic)
			if len(left) != c.left || len(before) != c.published {
				t.Fatalf("%d are in the outbox and %d arrived, want %+v", len(left), len(before), c)
			}
			relay(t, w, c.left)
			for _, m := range left {
				arrived(t, topics, 1, m)
				// A consumer recognises the repetition.
				for _, b := range before {
					if got := b.GetMessage().GetAttributes()["id"]; got != m.ID {
						t.Errorf("arrived as %s, then as %s", got, m.ID)
					}
				}
			}
			if left := outbox(t, w); len(left) != 0 {
				t.Errorf("the outbox keeps %v", left)
			}
			relay(t, w, 0)
		})
	}
}

// at is an event written at a time and not yet published.
func at(now time.Time) event.Message {
	return event.Message{ID: uuid.NewString(), Topic: topic, Data: []byte{}, Trace: "trace", Time: now.UTC()}
}

func put(ctx context.Context, c *spanner.Client, all ...event.Message) error {
	rows := make([]*spanner.Mutation, len(all))
	for i, m := range all {
		rows[i] = m.Insert()
	}
	_, err := c.Apply(ctx, rows)
	return err
}

func TestRelayLeavesYoungEvents(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	before := time.Date(2026, 3, 1, 12, 30, 30, 0, time.UTC)
	old, young := at(before.Add(-time.Minute)), at(before.Add(time.Second))
	if err := put(t.Context(), w.Spanner, old, young, at(before.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Relay(t.Context(), before); n != 1 || err != nil {
		t.Errorf("the relay published %d: %v", n, err)
	}
	arrived(t, topics, 1, old)
	if left := outbox(t, w); len(left) != 2 {
		t.Errorf("the outbox has %v", left)
	}
}

// Whatever its id and its time, an event is found by the run that is due, once
// and as it was.
func TestEachEventIsFoundOnce(t *testing.T) {
	t.Parallel()
	w := &event.Writer{Spanner: emutest.Database(t)}
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		offsets := rapid.SliceOfN(rapid.Int64Range(-int64(3*time.Minute), int64(3*time.Minute)), 1, 20).Draw(r, "offsets")
		before := base.Add(time.Duration(rapid.Int64Range(-int64(time.Minute), int64(time.Minute)).Draw(r, "before")))
		var all, due []event.Message
		for _, o := range offsets {
			m := at(base.Add(time.Duration(o)))
			if shard, ok := m.Key()[0].(int64); !ok || shard < 0 || shard >= event.Shards {
				r.Fatalf("shard %v", m.Key()[0])
			}
			all = append(all, m)
			if m.Time.Truncate(time.Minute).Before(before.Truncate(time.Minute)) {
				due = append(due, m)
			}
		}
		if err := put(r.Context(), w.Spanner, all...); err != nil {
			r.Fatal(err)
		}
		got, err := w.Pending(r.Context(), before)
		if err != nil {
			r.Fatal(err)
		}
		if _, err := w.Spanner.Apply(r.Context(), []*spanner.Mutation{spanner.Delete("Outbox", spanner.AllKeys())}); err != nil {
			r.Fatal(err)
		}
		same := func(a, b event.Message) bool {
			return a.ID == b.ID && a.Topic == b.Topic && a.Trace == b.Trace && a.Time.Equal(b.Time)
		}
		byID := func(a, b event.Message) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(due, byID)
		if !slices.EqualFunc(got, due, same) {
			r.Fatalf("before %s found %v\nwant %v", before, got, due)
		}
	})
}
