package cloudrun

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/crash"
)

// alone is a host whose manifest has two functions only, both of them alone.
func alone(t *testing.T, names ...string) *host {
	t.Helper()
	out := &output{changed: make(chan struct{}, 1)}
	h := newHost(t, Options{
		Manifest: &functions.Manifest{Functions: []functions.Function{
			{Name: "test-echo", Kind: functions.HTTP, Timeout: patience, Concurrency: 4},
			{Name: "test-slow", Kind: functions.HTTP, Timeout: patience, Concurrency: 1},
		}},
		Separate: Separate{Names: names, Dir: t.TempDir(), Log: func(string) io.Writer { return out }},
	})
	h.out = out
	return h
}

func (h *host) statusOf(t *testing.T, name string) Status {
	t.Helper()
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_emulators/functions", nil))
	var all []Status
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	i := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no %s among %+v", name, all)
	}
	return all[i]
}

func (h *host) post(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil))
	return w
}

// A function that runs alone is started by its first request, dies alone where it
// is told to, and is started again by the next request.
func TestSeparateFunctionsAreStartedAgain(t *testing.T) {
	t.Parallel()
	h := alone(t, Every).start(t)
	if s := h.statusOf(t, "test-slow"); !s.Separate || s.PID != 0 || s.Starts != 0 || s.LastExit != nil {
		t.Errorf("before its first request it is %+v", s)
	}
	first := send(t, "GET", h.URL("test-echo")+"/x", nil, nil).echoed(t)
	if first.Target != "test-echo" || first.Path != "/x" {
		t.Errorf("the function saw %+v", first)
	}
	if w := h.post(t, "/_emulators/functions/test-slow/crash?at=test:dying"); w.Code != http.StatusNoContent {
		t.Fatalf("arm: %d: %s", w.Code, w.Body)
	}
	if got := send(t, "GET", h.URL("test-slow")+"/", nil, nil); got.status != http.StatusOK {
		t.Errorf("a request that passes no point: %+v", got)
	}
	if got := send(t, "GET", h.URL("test-slow")+"/dying", nil, nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("the request that it died of: %+v", got)
	}
	h.out.until(t, "ended with 137")
	if s := h.statusOf(t, "test-slow"); s.PID != 0 || s.Starts != 1 || s.LastExit == nil || *s.LastExit != crash.Status || len(s.Armed) != 0 {
		t.Errorf("dead it is %+v", s)
	}
	if got := send(t, "GET", h.URL("test-slow")+"/dying", nil, nil); got.status != http.StatusOK {
		t.Errorf("the next request: %+v", got)
	}
	if s := h.statusOf(t, "test-slow"); s.PID == 0 || s.Starts != 2 {
		t.Errorf("alive again it is %+v", s)
	}
	if again := send(t, "GET", h.URL("test-echo"), nil, nil).echoed(t); again.PID != first.PID {
		t.Error("the other function was started again too")
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for h.statusOf(t, "test-echo").LastExit == nil {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nobody noted the death of test-echo")
		}
	}
	if again := send(t, "GET", h.URL("test-echo"), nil, nil).echoed(t); again.PID == first.PID {
		t.Error("it answers from the grave")
	}
	select {
	case err := <-h.Failed():
		t.Errorf("a death of one function is the host's: %v", err)
	default:
	}
}

// As many requests at once as the manifest says: the others wait.
func TestASeparateFunctionTakesNoMoreThanItsConcurrency(t *testing.T) {
	t.Parallel()
	h := alone(t, "test-slow", "test-echo").start(t)
	body, finish := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := send(t, "POST", h.URL("test-slow")+"/draining", body, nil); got.body != "complete" {
			t.Errorf("the first: %+v", got)
		}
	})
	h.out.until(t, "slow: entered\n")
	if h.letsIn(t) {
		t.Error("a second request went in beside the first")
	}
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got := send(t, "GET", h.URL("test-slow")+"/", nil, nil); got.status != http.StatusOK {
		t.Errorf("after it: %+v", got)
	}
}

func TestWhatCannotBeArmedIsNamed(t *testing.T) {
	t.Parallel()
	h := alone(t, "test-slow")
	if err := h.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		status int
		words  string
	}{
		"no-function/crash?at=a:b":    {404, `the manifest has no function "no-function"`},
		"test-echo/crash?at=a:b":      {409, "start with --separate test-echo"},
		"test-slow/crash":             {400, `at: "" is no crash point`},
		"test-slow/crash?at=nonsense": {400, `at: "nonsense" is no crash point`},
		"test-slow/crash?at=../a:b":   {400, "is no crash point"},
	} {
		if w := h.post(t, "/_emulators/functions/"+path); w.Code != want.status || !strings.Contains(w.Body.String(), want.words) {
			t.Errorf("%s: %d: %s", path, w.Code, w.Body)
		}
	}
	other := alone(t, "test-echo", "no-function")
	if err := other.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), `separate: the manifest has no function "no-function"`) {
		t.Errorf("a function that is none: %v", err)
	}
}
