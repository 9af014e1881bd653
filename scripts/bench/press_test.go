package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testPresses takes every figure of a press of play once, in small.
func testPresses(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	cold, warm, err := w.costs(ctx)
	if err != nil || cold != (costs{reads: 1, trips: 2}) || warm != (costs{reads: 0, trips: 1}) {
		t.Errorf("a stream costs %+v cold, %+v warm, %v", cold, warm, err)
	}
	if h, err := w.handled(ctx, 50); err != nil || h.allocs < 50 || h.micros <= 0 {
		t.Errorf("a request costs %+v, %v", h, err)
	}
	p, err := w.press(ctx, 10, 30)
	if err != nil || len(p.cold) != 10 || len(p.warm) != 30 || quantile(p.cold, 0) <= 0 || quantile(p.warm, 0) <= 0 {
		t.Errorf("presses took %+v, %v", p, err)
	}
	if s, err := w.starts(ctx, w.program, 1); err != nil || s.value < 1 {
		t.Errorf("a start takes %+v, %v", s, err)
	}
	for _, r := range effectRows(w) {
		if s, err := r.measure(ctx, 0); err != nil || s.value <= 0 || !r.budget.holds(s.value) {
			t.Errorf("%s: %v, %v", r.name, s, err)
		}
	}
	l, err := w.load(ctx, plan{rate: 100, users: 10, tracks: 20, connections: 5, length: 600 * time.Millisecond, settle: 100 * time.Millisecond})
	if err != nil || l.errors != 0 || l.first != nil || l.perSecond <= 0 || l.before < mebi || l.after < mebi {
		t.Errorf("a load: %+v, %v", l, err)
	}
	// One user alone reaches the limits of production, and the figures say so.
	l, err = w.load(ctx, plan{rate: 1000, users: 1, tracks: 1, connections: 5, length: 600 * time.Millisecond, settle: 100 * time.Millisecond})
	if err != nil || l.errors == 0 || l.first == nil || !strings.Contains(l.first.Error(), "rate_limited") {
		t.Errorf("one user's load: %+v, %v", l, err)
	}
}

// What refuses for another reason than what was changed is no figure.
func TestRefusedForAnotherReason(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"error":{"status":404,"reason":"taken_down"}}`: "",
		`{"error":{"status":404}}`:                       "not with 404 taken_down",
		`not found`:                                      "not with 404 taken_down",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, answer, http.StatusNotFound) }))
		c, err := dial(t.Context(), s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		l := &listening{client: c}
		_, err = l.refused(t.Context(), time.Now(), http.StatusNotFound, "taken_down")
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", answer, err)
		}
		c.close()
		s.Close()
	}
}

// Errors count, are told, and do not keep the rest from being sent; what comes
// after the end does not count.
func TestOffer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 3:
			http.Error(w, "no wonder", http.StatusTeapot)
		case 5:
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	p := plan{rate: 100, connections: 2, length: 300 * time.Millisecond}
	var l ran
	if err := l.offer(t.Context(), s.Listener.Addr().String(), p, [][]byte{press("t", "", "x")}); err != nil {
		t.Fatal(err)
	}
	n := asked.Load()
	if n < 6 || n > 30 || l.errors != 2 || l.first == nil || int64(len(l.took)) > n-2 || l.perSecond != float64(len(l.took))/0.3 {
		t.Errorf("of %d: %+v", n, l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.offer(ctx, s.Listener.Addr().String(), p, [][]byte{press("t", "", "x")}); err == nil {
		t.Error("a load goes on when it is cancelled")
	}
	s.Close()
	p = plan{rate: 1_000_000, connections: 1, length: time.Minute}
	if err := l.offer(t.Context(), s.Listener.Addr().String(), p, [][]byte{press("t", "", "x")}); err == nil || !strings.Contains(err.Error(), "given up after 1000 errors") {
		t.Errorf("nobody is there: %v", err)
	}
}

func TestHammer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/v1/tracks/a/stream" || r.Header.Get("Authorization") != "Bearer x" {
			http.Error(w, r.URL.Path, http.StatusTeapot)
		}
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	took, err := hammer(t.Context(), addr, 3, [][]byte{press("a", "?q=1", "x"), press("a", "", "x"), press("a", "", "x"), press("a", "", "x")})
	if err != nil || len(took) != 4 || quantile(took, 0) <= 0 || asked.Load() != 4 {
		t.Errorf("%v, %v, asked %d times", took, err, asked.Load())
	}
	if _, err := hammer(t.Context(), addr, 3, [][]byte{press("a", "", "x"), press("b", "", "x")}); err == nil || !strings.Contains(err.Error(), "418 /v1/tracks/b/stream") {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100-i) * time.Millisecond
	}
	for share, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(hundred, share); got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if got := quantile(hundred[:1], 0.99); got != 100 {
		t.Errorf("of one: %v", got)
	}
	if got := quantile(hundred[:3], 0.5); got != 99 {
		t.Errorf("of three: %v", got)
	}
	if got := quantile(nil, 0.99); got != 0 {
		t.Errorf("of none: %v", got)
	}
}

func TestCPUOf(t *testing.T) {
	t.Parallel()
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for x := uint64(1); ; x++ { // until a tick has passed
		if x%1_000_000 != 0 {
			continue
		}
		if now, err := cpuOf(os.Getpid()); err != nil || now > before {
			if err != nil {
				t.Error(err)
			}
			break
		}
	}
	if _, err := cpuOf(-1); err == nil {
		t.Error("a process that is none has used CPU")
	}
}

// What does not come up is told with what it said.
func TestDeployThatFails(t *testing.T) {
	t.Parallel()
	w := &world{dir: t.TempDir()}
	program := w.dir + "/program"
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no keyset >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := w.deploy(t.Context(), program, nil, press("t", "", "x"))
	if err == nil || !strings.Contains(err.Error(), "playback-stream does not answer") || !strings.Contains(err.Error(), "exit status 3: no keyset") {
		t.Error(err)
	}
	if _, err := w.deploy(t.Context(), w.dir+"/none", nil, nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
}
