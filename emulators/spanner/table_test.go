package spanner

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func testTable() (*table, *clock) {
	c := &clock{t: time.Unix(1e9, 0)}
	return newTable(limits{
		readOnly: 3, readWrite: 2, ended: 4,
		readWriteIdle: time.Second, sessionIdle: time.Minute,
	}, c.now), c
}

// idle begins a transaction and ends the call that began it.
func idle(t *testing.T, tb *table, id string, k kind) []string {
	t.Helper()
	x, gone := tb.begin(id, "session-"+id, k)
	if more := tb.done(x); more != nil {
		t.Errorf("%s gave up %v", id, more)
	}
	return gone
}

func TestTableIsBoundedPerKindAndEvictsTheLeastRecentlyUsed(t *testing.T) {
	for _, tc := range []struct {
		kind  kind
		limit int
	}{{readOnly, 3}, {readWrite, 2}, {partitionedDML, 2}} {
		tb, _ := testTable()
		for i := range tc.limit {
			if gone := idle(t, tb, fmt.Sprint(i), tc.kind); gone != nil {
				t.Fatalf("kind %d: evicted %v below the limit", tc.kind, gone)
			}
		}
		x, _ := tb.use("0")
		tb.done(x)
		if gone := idle(t, tb, "new", tc.kind); !slices.Equal(gone, []string{"session-1"}) {
			t.Errorf("kind %d: evicted %v, want the least recently used", tc.kind, gone)
		}
		for i := range 500 {
			idle(t, tb, fmt.Sprint("more", i), tc.kind)
		}
		if len(tb.open) != tc.limit || len(tb.ended.how) > 4 || len(tb.ended.ring) > 4 {
			t.Errorf("kind %d: %d open, %d ended", tc.kind, len(tb.open), len(tb.ended.how))
		}
	}
}

func TestTableEvictsWhatIdlesAndRemembersItAsAborted(t *testing.T) {
	tb, c := testTable()
	idle(t, tb, "rw", readWrite)
	idle(t, tb, "ro", readOnly)
	c.advance(time.Second)
	if gone := tb.evict(); !slices.Equal(gone, []string{"session-rw"}) {
		t.Errorf("after a second: %v", gone)
	}
	if x, how := tb.use("rw"); x != nil || how == nil || how.commit != nil {
		t.Errorf("the read-write transaction is %v, %v, want aborted", x, how)
	}
	c.advance(time.Minute)
	if gone := tb.evict(); !slices.Equal(gone, []string{"session-ro"}) {
		t.Errorf("after a minute: %v", gone)
	}
	if x, how := tb.use("ro"); x != nil || how != nil {
		t.Errorf("the read-only transaction is %v, %v, want unknown", x, how)
	}
}

func TestTableDoesNotEvictACallInFlight(t *testing.T) {
	tb, c := testTable()
	busy, _ := tb.begin("busy", "session-busy", readWrite)
	c.advance(time.Hour)
	for i := range 5 {
		if gone := idle(t, tb, fmt.Sprint(i), readWrite); slices.Contains(gone, "session-busy") {
			t.Fatal("evicted a transaction with a call in flight")
		}
	}
	tb.done(busy)
	c.advance(time.Second)
	if gone := tb.evict(); !slices.Contains(gone, "session-busy") {
		t.Errorf("evicted %v", gone)
	}
}

func TestTableFreesTheSessionAfterTheLastCall(t *testing.T) {
	for _, discard := range []bool{false, true} {
		tb, _ := testTable()
		first, _ := tb.begin("x", "s", readWrite)
		second, _ := tb.use("x")
		tb.end(first, nil, discard)
		if gone := tb.done(first); gone != nil || tb.take() != "" {
			t.Fatal("the session is free while a call is in flight")
		}
		gone := tb.done(second)
		if got := tb.take(); discard != slices.Contains(gone, "s") || discard == (got == "s") {
			t.Errorf("discard %v: gave up %v, free is %q", discard, gone, got)
		}
	}
}

func TestTableRemembersCommits(t *testing.T) {
	tb, _ := testTable()
	answer := &spannerpb.CommitResponse{}
	for i := range 5 {
		x, _ := tb.begin(fmt.Sprint(i), "s", readWrite)
		tb.end(x, &ending{commit: answer}, false)
		tb.done(x)
	}
	if how := tb.ending("4"); how == nil || how.commit != answer {
		t.Errorf("the last commit is %v", how)
	}
	if how := tb.ending("0"); how != nil {
		t.Errorf("the oldest commit is %v, want forgotten", how)
	}
}

func TestTableDoesNotReuseStaleSessions(t *testing.T) {
	tb, c := testTable()
	tb.give("old")
	c.advance(time.Minute)
	if got := tb.take(); got != "" {
		t.Errorf("took %q", got)
	}
	tb.give("new")
	if got := tb.evict(); !slices.Equal(got, []string{"old"}) {
		t.Errorf("gave up %v", got)
	}
	if got := tb.take(); got != "new" {
		t.Errorf("took %q", got)
	}
}

func TestClosedTableKeepsNothing(t *testing.T) {
	tb, _ := testTable()
	tb.give("free")
	idle(t, tb, "idle", readOnly)
	busy, _ := tb.begin("busy", "session-busy", readWrite)
	gone := tb.close()
	slices.Sort(gone)
	if !slices.Equal(gone, []string{"free", "session-idle"}) {
		t.Errorf("close gave up %v", gone)
	}
	if gone := tb.done(busy); !slices.Equal(gone, []string{"session-busy"}) {
		t.Errorf("the call in flight gave up %v", gone)
	}
	late, _ := tb.begin("late", "session-late", readWrite)
	if gone := tb.done(late); !slices.Equal(gone, []string{"session-late"}) {
		t.Errorf("the late call gave up %v", gone)
	}
	if gone := tb.give("given"); !slices.Equal(gone, []string{"given"}) {
		t.Errorf("the late session: gave up %v", gone)
	}
	if len(tb.open) != 0 || len(tb.free) != 0 || tb.reads.Len()+tb.writes.Len() != 0 {
		t.Error("the closed table is not empty")
	}
}
