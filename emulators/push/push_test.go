package push

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segue-audio/segue/functions"
)

const posted = `{"subscription":"projects/p/subscriptions/ingest-probe","message":{"messageId":"1","data":"c291bmQ="}}`

// post plays Pub/Sub without an emulator.
func (w *world) post(t *testing.T, function, body string) (int, string) {
	t.Helper()
	return w.postTo(t, function, "upload-finalized", body)
}

func (w *world) postTo(t *testing.T, function, topic, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.push.URL(function, topic), strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(b)
}

func TestFunctionsStatusIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ status, pending int }{
		{http.StatusOK, 0},
		{http.StatusCreated, 0},
		{http.StatusAccepted, 0},
		{http.StatusNoContent, 0},
		{http.StatusPartialContent, 1},
		{http.StatusFound, 1},
		{http.StatusBadRequest, 1},
		{http.StatusTooManyRequests, 1},
		{http.StatusInternalServerError, 1},
	} {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				rw.Header().Set("Location", "/elsewhere")
				rw.WriteHeader(test.status)
			})
			if status, _ := w.post(t, "ingest-probe", posted); status != test.status {
				t.Errorf("status %d", status)
			}
			if got := w.push.attempts.pending(); got != test.pending || calls.Load() != 1 {
				t.Errorf("%d events are counted after %d calls, want %d", got, calls.Load(), test.pending)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	w := newWorldAt(t, gone.URL)
	for _, test := range []struct {
		name, function, body string
		status               int
		say                  string
	}{
		{"unknown function", "ingest-nothing", posted, http.StatusNotFound, "ingest-nothing"},
		{"function without a topic", "web-app", posted, http.StatusNotFound, "web-app"},
		{"no JSON", "ingest-probe", "sound", http.StatusBadRequest, "JSON"},
		{"no message", "ingest-probe", "{}", http.StatusBadRequest, "messageId"},
		{"function is down", "ingest-probe", posted, http.StatusBadGateway, gone.URL},
	} {
		if status, body := w.post(t, test.function, test.body); status != test.status || !strings.Contains(body, test.say) {
			t.Errorf("%s: %d %q", test.name, status, body)
		}
	}
	if status, body := w.postTo(t, "ingest-probe", "rendition-ready", posted); status != http.StatusNotFound || !strings.Contains(body, "rendition-ready") {
		t.Errorf("another's topic: %d %q", status, body)
	}
}

func TestFunctionOverItsTimeoutIsAnswered504(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		read(t, r)
		<-r.Context().Done()
	}, func(f *functions.Function, _ *Options) { f.Timeout = 50 * time.Millisecond })
	if status, body := w.post(t, "ingest-probe", posted); status != http.StatusGatewayTimeout || !strings.Contains(body, "50ms") {
		t.Errorf("%d %q", status, body)
	}
}

func TestDeliveryAttempt(t *testing.T) {
	t.Parallel()
	other := strings.Replace(posted, `"messageId":"1"`, `"messageId":"2"`, 1)
	elsewhere := strings.Replace(posted, "subscriptions/ingest-probe", "subscriptions/other", 1)
	attempts, fail := make(chan int, 10), true
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		attempts <- read(t, r).body.DeliveryAttempt
		if fail {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	for n, test := range []struct {
		body    string
		want    int
		succeed bool
	}{
		{posted, 1, false},
		{posted, 2, false},
		{other, 1, false},
		{elsewhere, 1, false},
		{strings.Replace(posted, "{", `{"deliveryAttempt":7,`, 1), 7, false},
		{posted, 3, true},
		{posted, 1, false}, // after a success the count begins anew
	} {
		fail = !test.succeed
		w.post(t, "ingest-probe", test.body)
		if got := receive(t, attempts); got != test.want {
			t.Errorf("push %d: attempt %d, want %d", n, got, test.want)
		}
	}
}

func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	a := newAttempts(2)
	x, y, z := event{"s", "x"}, event{"s", "y"}, event{"s", "z"}
	for n, test := range []struct {
		event event
		want  int
	}{
		{x, 1},
		{y, 1},
		{x, 2},
		{z, 1}, // y makes room
		{x, 3},
		{y, 1},
	} {
		if got := a.next(test.event); got != test.want {
			t.Errorf("step %d: %d, want %d", n, got, test.want)
		}
	}
	if a.pending() != 2 || a.recent.Len() != 2 {
		t.Errorf("%d counters", a.pending())
	}
}

func TestInstancesTakeTheirConcurrency(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct{ concurrency, instances, maxInstances int }{
		"one instance of two":         {2, 0, 9},
		"two instances of one":        {1, 2, 9},
		"no more than the manifest's": {1, 9, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			takesTwo(t, func(f *functions.Function, p *Options) {
				f.Concurrency, f.MaxInstances, p.Instances = o.concurrency, o.maxInstances, o.instances
			})
		})
	}
}

func takesTwo(t *testing.T, set func(*functions.Function, *Options)) {
	t.Helper()
	const concurrency = 2
	var running atomic.Int32
	full, tooMany := make(chan struct{}), make(chan struct{})
	var onceFull, onceTooMany sync.Once
	w := newWorld(t, func(_ http.ResponseWriter, _ *http.Request) {
		defer running.Add(-1)
		switch n := running.Add(1); {
		case n == concurrency:
			onceFull.Do(func() { close(full) })
		case n > concurrency:
			onceTooMany.Do(func() { close(tooMany) })
		}
		// Each leaves room for one too many to come.
		select {
		case <-tooMany:
		case <-time.After(50 * time.Millisecond):
		}
	}, set)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if status, body := w.post(t, "ingest-probe", posted); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	select {
	case <-full:
	default:
		t.Error("never two at once")
	}
	select {
	case <-tooMany:
		t.Error("more than two at once")
	default:
	}
}

func TestLogNamesFunctionAndMessage(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "out of order", http.StatusInternalServerError)
	}, func(_ *functions.Function, o *Options) { o.Log = &log })
	w.post(t, "ingest-probe", posted)
	if err := w.push.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "ingest-probe: message 1, attempt 1: 500 out of order\n"; log.String() != want {
		t.Errorf("log = %q, want %q", log.String(), want)
	}
	if w.push.Health(t.Context()) == nil {
		t.Error("the stopped part says that it is well")
	}
}
