package scheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/functions"
)

const patience = 20 * time.Second

// lines is a log that tests can wait on.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
	new chan struct{}
}

func newLines() *lines { return &lines{new: make(chan struct{}, 1)} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.new <- struct{}{}:
	default:
	}
	return l.all.Write(b)
}

func (l *lines) wait(ctx context.Context, want string) bool {
	for {
		l.mu.Lock()
		found := strings.Contains(l.all.String(), want)
		l.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-l.new:
		case <-ctx.Done():
			return false
		}
	}
}

func every(name, schedule string) functions.Function {
	return functions.Function{Name: name, Kind: functions.Scheduled, Schedule: schedule, Timeout: patience}
}

// newScheduler calls function; its jobs are those given and an HTTP function.
func newScheduler(t *testing.T, function http.HandlerFunc, log io.Writer, jobs ...functions.Function) (*Scheduler, *identity.Issuer, string) {
	t.Helper()
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "i", Audience: "a"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(function)
	t.Cleanup(server.Close)
	m := &functions.Manifest{Functions: append(jobs, functions.Function{Name: "web-app", Kind: functions.HTTP})}
	s, err := New(Options{
		Manifest: m, Log: log,
		FunctionURL: func(name string) string { return server.URL + "/" + name },
		Token:       func(audience string) (string, error) { return issuer.ServiceToken(audience, "scheduler@segue.test") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, issuer, server.URL
}

// The server notices that its caller has hung up only once the body is read.
func drain(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func start(t *testing.T, s *Scheduler) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestClockCallsFunctionAsCloudSchedulerDoes(t *testing.T) {
	t.Parallel()
	type call struct {
		request *http.Request
		body    string
	}
	calls := make(chan call, 10)
	s, issuer, url := newScheduler(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- call{r, string(b)}
	}, nil, every("ops-relay", "@every 1s"))
	start(t, s)
	if got := s.cron.Location(); got != time.UTC {
		t.Errorf("schedules are read in %v", got)
	}
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case c := <-calls:
		h := c.request.Header
		if c.request.Method != http.MethodPost || c.request.URL.Path != "/ops-relay" || c.body != "{}" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %q", c.request.Method, c.request.URL, c.body)
		}
		if h.Get("X-CloudScheduler") != "true" || h.Get("X-CloudScheduler-JobName") != "ops-relay" {
			t.Errorf("header = %v", h)
		}
		when, err := time.Parse(time.RFC3339, h.Get("X-CloudScheduler-ScheduleTime"))
		if err != nil || time.Since(when).Abs() > time.Minute || when.Location() != time.UTC {
			t.Errorf("schedule time = %v, %v", when, err)
		}
		token := strings.TrimPrefix(h.Get("Authorization"), "Bearer ")
		if err := issuer.VerifyServiceToken(token, url+"/ops-relay"); err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the clock did not call the function")
	}
}

func TestJobNeverRunsTwiceAtOnce(t *testing.T) {
	t.Parallel()
	log := newLines()
	release, entered := make(chan struct{}), make(chan struct{}, 1000)
	var running, most atomic.Int32
	s, _, _ := newScheduler(t, func(_ http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		entered <- struct{}{}
		<-release
		running.Add(-1)
	}, log, every("ops-relay", "@every 1s"))
	start(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	<-entered
	// A run by hand meets the clock's: it waits. The clock's next is skipped.
	byHand := make(chan error, 1)
	go func() {
		_, _, err := s.Fire(ctx, "ops-relay")
		byHand <- err
	}()
	if !log.wait(ctx, "job ops-relay: skip") {
		t.Error("the clock did not skip a run")
	}
	if len(entered) > 0 {
		t.Error("a second run began during the first")
	}
	close(release)
	if err := <-byHand; err != nil {
		t.Error(err)
	}
	if most.Load() != 1 {
		t.Errorf("%d runs at once", most.Load())
	}
}

func TestFireNow(t *testing.T) {
	t.Parallel()
	log := newLines()
	slow := every("ops-slow", "0 0 1 1 *")
	slow.Timeout = 50 * time.Millisecond
	s, _, _ := newScheduler(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ops-slow":
			drain(r)
			<-r.Context().Done()
		case "/ops-broken":
			http.Error(w, "out of order", http.StatusInternalServerError)
		case "/ops-quiet":
			w.WriteHeader(http.StatusNoContent)
		case "/ops-gone":
			panic(http.ErrAbortHandler)
		}
	}, log, slow, every("ops-broken", "0 0 1 1 *"), every("ops-quiet", "0 0 1 1 *"), every("ops-gone", "0 0 1 1 *"))
	start(t, s)
	for _, test := range []struct {
		job            string
		code, function int
		say            string
	}{
		{"ops-quiet", http.StatusOK, http.StatusNoContent, ""},
		{"ops-broken", http.StatusBadGateway, http.StatusInternalServerError, "out of order"},
		{"ops-gone", http.StatusBadGateway, 0, "EOF"},
		{"ops-slow", http.StatusGatewayTimeout, 0, "deadline"},
		{"ops-unheard", http.StatusNotFound, 0, "ops-broken, ops-gone, ops-quiet, ops-slow"},
		{"web-app", http.StatusNotFound, 0, "unknown job"},
	} {
		t.Run(test.job, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/_emulators/schedule/"+test.job, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var o outcome
			if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.code || o.Status != test.function || o.Job != test.job || !strings.Contains(o.Error, test.say) {
				t.Errorf("%d %+v", resp.StatusCode, o)
			}
		})
	}
}

func TestFireAsOfATime(t *testing.T) {
	t.Parallel()
	due := make(chan string, 1)
	s, _, _ := newScheduler(t, func(w http.ResponseWriter, r *http.Request) {
		due <- r.Header.Get("X-CloudScheduler-ScheduleTime")
		_, _ = io.WriteString(w, `{"removed":3}`)
	}, nil, every("ingest-cleanup", "0 0 1 1 *"))
	for query, want := range map[string]string{
		"?at=2030-01-02T03:04:05Z":        "2030-01-02T03:04:05Z",
		"?at=2030-01-02T03:04:05%2B02:00": "2030-01-02T01:04:05Z",
		"?at=tomorrow":                    "",
		"?at=":                            "",
		"?at=2030-01-02&at=2030-01-02":    "",
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_emulators/schedule/ingest-cleanup"+query, nil))
		if want == "" {
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "at") {
				t.Errorf("%s: %d %s", query, w.Code, w.Body)
			}
			continue
		}
		if got := <-due; w.Code != http.StatusOK || got != want || !strings.Contains(w.Body.String(), `"answer":{"removed":3}`) {
			t.Errorf("%s: %d %s, due %s", query, w.Code, w.Body, got)
		}
	}
	if len(due) > 0 {
		t.Error("a job was run at no time")
	}
}

func TestFireReturnsTheAnswer(t *testing.T) {
	t.Parallel()
	s, _, _ := newScheduler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "relayed 3")
	}, nil, every("ops-relay", "* * * * *"))
	status, body, err := s.Fire(t.Context(), "ops-relay")
	if status != http.StatusAccepted || string(body) != "relayed 3" || err != nil {
		t.Errorf("%d %q %v", status, body, err)
	}
}

func TestFailedRunIsLogged(t *testing.T) {
	t.Parallel()
	log := newLines()
	s, _, _ := newScheduler(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	}, log, every("ops-relay", "@every 1s"))
	start(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !log.wait(ctx, "job ops-relay: 500 out of order") {
		t.Error("the log does not say that the run failed")
	}
}

func TestStopCutsRunsWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	entered, cut := make(chan struct{}, 10), make(chan struct{}, 10)
	s, _, _ := newScheduler(t, func(_ http.ResponseWriter, r *http.Request) {
		drain(r)
		entered <- struct{}{}
		<-r.Context().Done()
		cut <- struct{}{}
	}, nil, every("ops-relay", "@every 1s"))
	start(t, s)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-cut:
	case <-time.After(patience):
		t.Error("the run goes on")
	}
	if s.Health(t.Context()) == nil {
		t.Error("the stopped part says that it is well")
	}
}

func TestUnreadableScheduleIsRefused(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Manifest: &functions.Manifest{Functions: []functions.Function{every("ops-relay", "61 * * * *")}}})
	if err == nil || !strings.Contains(err.Error(), "ops-relay") {
		t.Errorf("error = %v", err)
	}
}
