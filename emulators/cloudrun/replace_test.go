package cloudrun

import (
	"context"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// A new process takes over while requests come all the time: none fails, and the
// one that the old process has is finished.
func TestReplaceLosesNoRequest(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	env := segue(t, h.issuer)
	h.options.Env = env
	h.start(t)
	old, oldBase := h.PID(), h.base()
	body, finish := io.Pipe()
	slow := make(chan reply, 1)
	go func() { slow <- send(t, "POST", h.URL("test-slow")+"/draining", body, nil) }()
	h.out.until(t, "slow: entered\n")

	stop, served := make(chan struct{}), map[int]int{}
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := send(t, "GET", h.URL("test-echo"), nil, nil).echoed(t)
				mu.Lock()
				served[s.PID]++
				mu.Unlock()
			}
		})
	}
	// Bad environments first: the old process stays, and it is said why.
	bad := maps.Clone(env)
	bad["SEGUE_CDN_KEY_NAME"] = "no such key!"
	err := h.Replace(t.Context(), bad)
	if err == nil || !strings.Contains(err.Error(), "exit status 1; it said: ") || !strings.Contains(err.Error(), "no such key!") {
		t.Errorf("a bad environment: %v", err)
	}
	if h.PID() != old || h.options.Env["SEGUE_CDN_KEY_NAME"] != "key" {
		t.Error("a bad environment replaced the process")
	}
	done := make(chan error, 1)
	go func() { done <- h.Replace(t.Context(), env) }()
	awaitPID(t, h, old)
	fresh := h.PID()
	select {
	case r := <-slow:
		t.Errorf("the request was cut: %+v", r)
	case err := <-done:
		t.Errorf("the old process ended with a request: %v", err)
	default:
	}
	if s := send(t, "GET", h.URL("test-echo"), nil, nil).echoed(t); s.PID != fresh {
		t.Errorf("a new request went to %d, not to %d", s.PID, fresh)
	}
	// It is not even asked to end: a request on its way to it would be cut.
	for range 20 {
		if r := send(t, "GET", oldBase+"/test-slow/", nil, nil); r.status != 200 {
			t.Errorf("the old process answers %+v", r)
		}
	}
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-slow; r.status != 200 || r.body != "complete" {
		t.Errorf("the request in flight = %+v", r)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(stop)
	clients.Wait()
	if len(served) != 2 || served[old] == 0 || served[fresh] == 0 {
		t.Errorf("requests by process: %v, want %d and %d", served, old, fresh)
	}
	if !gone(old) {
		t.Error("the old process is left")
	}
	select {
	case err := <-h.Failed():
		t.Errorf("a replacement counts as a failure: %v", err)
	default:
	}
}

func awaitPID(t *testing.T, h *host, not int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); h.PID() == not; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the process is not replaced")
		}
	}
}

// A stop lets what a replacement waits for finish and ends both processes, and
// nothing is replaced after it.
func TestStopDuringReplace(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-slow"}).start(t)
	old := h.PID()
	body, finish := io.Pipe()
	slow := make(chan reply, 1)
	go func() { slow <- send(t, "POST", h.URL("test-slow")+"/draining", body, nil) }()
	h.out.until(t, "slow: entered\n")
	done := make(chan error, 1)
	go func() { done <- h.Replace(t.Context(), nil) }()
	awaitPID(t, h, old)
	fresh, stopped := h.PID(), make(chan error, 1)
	go func() { stopped <- h.Stop(context.WithoutCancel(t.Context())) }()
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-slow; r.status != 200 {
		t.Errorf("the request in flight = %+v", r)
	}
	for _, c := range []chan error{done, stopped} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if !gone(old) || !gone(fresh) {
		t.Error("a process is left")
	}
	if err := h.Replace(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a replacement after the stop: %v", err)
	}
}

// A new process that does not come up keeps nobody who stops the host.
func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	env := segue(t, h.issuer)
	h.options.Env = env
	h.start(t)
	old := h.PID()
	stuck := maps.Clone(env)
	stuck[stuckVariable] = "1"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.Replace(ctx, stuck) }()
	h.out.until(t, "stuck\n")
	if err := h.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "ended before") {
		t.Errorf("the replacement waits for a process that is stopped: %v", err)
	}
	if !gone(old) {
		t.Error("the old process is left")
	}
}
