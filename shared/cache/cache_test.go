package cache

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestReadThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.instance(w.redis), w.instance(w.redis)
	want(t, first, "a", "one")
	want(t, first, "a", "one")  // from its memory
	want(t, second, "a", "one") // from Redis
	if n := w.rows.count(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	ttl, err := w.redis.PTTL(t.Context(), w.kind+":a").Result()
	if err != nil || ttl <= TTL*8/10 || ttl > TTL {
		t.Errorf("stays %s, %v", ttl, err)
	}
	pipe := w.redis.Pipeline()
	first.Look(t.Context(), pipe, "a")
	if pipe.Len() != 0 {
		t.Error("Redis is asked for what is in memory")
	}
}

func TestAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.instance(w.redis)
	for range 3 {
		want(t, c, "b", "")
	}
	if n := w.rows.count(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	if ttl, err := w.redis.PTTL(t.Context(), w.kind+":b").Result(); err != nil || ttl <= 0 || ttl > absentTTL {
		t.Errorf("stays %s, %v", ttl, err)
	}
	w.rows.set("b", "two")
	w.forget(t, "b")
	want(t, c, "b", "two") // an absence is in no memory
}

// Once a change was announced, a new instance never reads the old row, whatever
// a slow reader does.
func TestSlowReaderCannotBringTheOldRowBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read, written := make(chan struct{}), make(chan struct{})
	w.rows.during = func() { close(read); <-written }
	slow := w.instance(w.redis)
	done := make(chan struct{})
	go func() {
		defer close(done)
		want(t, slow, "a", "one")
	}()
	<-read
	w.rows.mu.Lock()
	w.rows.during = nil
	w.rows.mu.Unlock()
	w.rows.set("a", "two")
	w.forget(t, "a")
	close(written)
	<-done
	want(t, w.instance(w.redis), "a", "two")
	// Nor does an announcement that comes late take a newer row away for long.
	e := entry{at: time.Now().Add(time.Hour), form: present, payload: "three"}
	if n, err := putNewer.Run(t.Context(), w.redis, []string{w.kind + ":a"}, e.String(), 60_000).Int(); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	w.forget(t, "a")
	want(t, w.instance(w.redis), "a", "three")
}

// A reader that was paused for longer than tombstones last puts nothing.
func TestReaderThatSleptPutsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.instance(w.redis)
	c.o.Now = func() time.Time { return time.Now().Add(maxAge + time.Second) }
	want(t, c, "a", "one")
	if n, err := w.redis.Exists(t.Context(), w.kind+":a").Result(); err != nil || n != 0 {
		t.Errorf("%d entries, %v", n, err)
	}
	w.rows.set("a", "two") // nor is it kept as if it had just been read
	want(t, c, "a", "two")
}

// A load that panics is the failure of who waits for it, not the process's end.
func TestLoadThatPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.instance(w.redis)
	w.rows.during = func() { panic("a row that nobody expected") }
	if _, _, err := c.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "a row that nobody expected") {
		t.Error(err)
	}
	w.rows.during = nil
	want(t, c, "a", "one")
}

// Many requests for one cold key are one load.
func TestNoStampede(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Without Redis, so that nothing but the instance itself holds them back.
	c := w.instance(nowhere(t))
	const n = 200
	arrived := make(chan struct{}, n)
	release := make(chan struct{})
	w.rows.during = func() { <-release }
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			arrived <- struct{}{}
			want(t, c, "a", "one")
		})
	}
	for range n {
		<-arrived
	}
	close(release)
	all.Wait()
	// Who arrived between two loads found it in memory.
	if got := w.rows.count(); got != 1 {
		t.Errorf("%d loads for %d requests", got, n)
	}
}

func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.instance(nowhere(t))
	want(t, c, "a", "one")
	want(t, c, "b", "")
	w.rows.err = errors.New("spanner is away")
	want(t, c, "a", "one") // in memory
	if _, _, err := c.Get(t.Context(), "c"); !errors.Is(err, w.rows.err) {
		t.Errorf("what nobody has: %v", err)
	}
}

// A failed load is told and not kept.
func TestFailedLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.instance(w.redis)
	w.rows.err = errors.New("spanner is away")
	if _, _, err := c.Get(t.Context(), "a"); !errors.Is(err, w.rows.err) {
		t.Error(err)
	}
	w.rows.err = nil
	want(t, c, "a", "one")
}

// What is not understood is loaded, and replaced.
func TestForeignEntries(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "v", "text", "17", "17x", "17v\x00", "99999999999999999999v1"} {
		w := newWorld(t)
		if err := w.redis.Set(t.Context(), w.kind+":a", text, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		want(t, w.instance(w.redis), "a", "one")
		want(t, w.instance(w.redis), "a", "one")
		if n := w.rows.count(); n > 2 || (n == 2 && text != "99999999999999999999v1") {
			t.Errorf("%q: loaded %d times", text, n)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now, key := time.Now(), w.kind+":flag"
	for i, c := range []struct {
		at    time.Time
		value string
		want  string
	}{{now, "1", "1"}, {now.Add(time.Second), "0", "0"}, {now, "1", "0"}, {now.Add(time.Second), "2", "2"}} {
		if err := Put(t.Context(), w.redis, key, c.at, c.value, time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, err := Value(w.redis.Get(t.Context(), key).Val()); err != nil || got != c.want {
			t.Errorf("%d: %q, %v, want %q", i, got, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"17v", "17tx", "x", "", "017a", "9223372036854775808v"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parse(s)
		if err != nil {
			return
		}
		again, err := parse(e.String())
		if err != nil || again.form != e.form || again.payload != e.payload || !again.at.Equal(e.at) {
			t.Errorf("%q becomes %q, %v", s, e, err)
		}
	})
}
