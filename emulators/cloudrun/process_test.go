package cloudrun

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nothing but the target is needed: the environment of the others is missing.
func TestTargetRunsOneFunctionAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-echo"}).start(t)
	for path, want := range map[string]string{"": "/", "/": "/", "/v1/tracks/a%2Fb?x=1": "/v1/tracks/a%2Fb"} {
		if s := send(t, "GET", h.URL("test-echo")+path, nil, nil).echoed(t); s.Path != want || s.Target != "test-echo" || s.PID != h.PID() {
			t.Errorf("%q: the function saw %+v", path, s)
		}
	}
	for _, name := range []string{"test-slow", "catalog-browse", "ops-relay"} {
		if got := send(t, "GET", h.URL(name), nil, nil); got.status != 404 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestKilledProcessIsAFailure(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-echo"}).start(t)
	if err := syscall.Kill(h.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-h.Failed():
		if err == nil || !strings.Contains(err.Error(), "functions ended by itself: signal: killed") {
			t.Errorf("failed = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nothing on Failed")
	}
	if err := h.Health(t.Context()); err == nil {
		t.Error("dead functions are healthy")
	}
	if got := send(t, "GET", h.URL("test-echo"), nil, nil); got.status != 503 {
		t.Errorf("a dead function answers %+v", got)
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Errorf("stop afterwards: %v", err)
	}
}

func TestStopLetsRequestsFinishAndLeavesNoProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-slow"}).start(t)
	body, finish := io.Pipe()
	answer := make(chan reply, 1)
	go func() { answer <- send(t, "POST", h.URL("test-slow")+"/draining", body, nil) }()
	h.out.until(t, "slow: entered\n")
	pid, stopped := h.PID(), make(chan error, 1)
	go func() { stopped <- h.Stop(context.WithoutCancel(t.Context())) }()
	for h.letsIn(t) { // until it drains
	}
	select {
	case r := <-answer:
		t.Fatalf("the request was cut: %+v", r)
	case err := <-stopped:
		t.Fatalf("it stopped with a request in flight: %v", err)
	default:
	}
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-answer; r.status != 200 || r.body != "complete" {
		t.Errorf("the request in flight = %+v", r)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if !gone(pid) {
		t.Error("a process is left")
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Errorf("a second stop: %v", err)
	}
	select {
	case err := <-h.Failed():
		t.Errorf("a stop counts as a failure: %v", err)
	default:
	}
}

func TestCallsBeforeTheStartAreTurnedAway(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	if err := h.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := send(t, "GET", h.URL("test-echo"), nil, nil); got.status != 503 {
		t.Errorf("%+v", got)
	}
}

func TestStartThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	taken := l.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		name, want, log string
		o               Options
	}{
		{"port taken", "functions: 127.0.0.1:" + strconv.Itoa(taken), "", Options{Port: taken, Target: "test-echo"}},
		{"function without its environment", "functions ended by itself: exit status 1", "catalog-browse: configuration: ", Options{}},
		{"target that is no function", "functions ended by itself: exit status 1", `"no-function"`, Options{Target: "no-function"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, test.o)
			err := h.Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("start: %v, want %q", err, test.want)
			}
			if !strings.Contains(h.out.String(), test.log) {
				t.Errorf("the functions said:\n%s", h.out)
			}
			if h.process != nil && !gone(h.PID()) {
				t.Error("a process is left")
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-echo"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Start(ctx); err == nil {
		t.Fatal("it started")
	}
	if h.process != nil && !gone(h.PID()) {
		t.Error("a process is left")
	}
}

// letsIn says whether a request begins: an instance that drains keeps it.
func (h *host) letsIn(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL("test-slow"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
