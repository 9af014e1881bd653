package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/telemetry"
)

// logged is all that the package logged.
var logged = &logBuffer{}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// line is the logged line with a word in it.
func (l *logBuffer) line(word string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, word) {
			return line
		}
	}
	return ""
}

func TestMain(m *testing.M) {
	if os.Getenv(instanceVariable) != "" {
		fmt.Fprintln(os.Stderr, serveInstance())
		os.Exit(1)
	}
	slog.SetDefault(telemetry.NewLogger(io.MultiWriter(logged, leak.Log()), "", slog.LevelInfo))
	os.Exit(leak.Watch(m.Run))
}

// thing is request and response of the operations under test.
type thing struct {
	ID     string   `json:"-" path:"id"`
	Market string   `json:"-" query:"market"`
	Limit  int      `json:"-" query:"limit"`
	All    bool     `json:"-" query:"all"`
	Title  string   `json:"title"`
	Size   int      `json:"size"`
	Tags   []string `json:"tags"`
	Meta   struct {
		Explicit bool    `json:"explicit"`
		Gain     float64 `json:"gain"`
	} `json:"meta"`
}

func (r *thing) Validate() error {
	if r.Title == "forbidden" {
		return errs.New(errs.Invalid, "title: this one is forbidden")
	}
	return nil
}

// seen is what the logic was given, as a response.
type seen struct {
	Thing  thing
	ID     string
	Market string
	Limit  int
	All    bool
	Base   string
	Caller Caller
	Trace  string
}

func (seen) Headers(h http.Header) { h.Set("Cache-Control", "private") }

// created is a response of its own status.
type created struct{}

func (created) StatusCode() int { return http.StatusAccepted }

// world is a function over a real server, with an issuer of its own.
type world struct {
	*issuer
	clock *clock
	url   string
	deps  error // what building the dependencies fails with
}

func newWorld(t testing.TB, changes ...func(*AuthConfig)) *world {
	t.Helper()
	w := &world{issuer: newIssuer(t), clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}}
	config := AuthConfig{Issuer: tokenIssuer, Audience: tokenAudience, JWKSURL: w.issuer.url}
	for _, c := range changes {
		c(&config)
	}
	limits, err := config.Limits.Parse()
	if err != nil {
		t.Fatal(err)
	}
	// Where nothing listens: what is limited is limit's own test.
	redis, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Close() })
	a := admission{config, NewVerifier(config, http.DefaultClient, w.clock.Now), limit.New(redis, limits)}
	deps := func() (struct{}, error) { return struct{}{}, w.deps }
	echo := func(ctx context.Context, r thing, _ struct{}) (seen, error) {
		return seen{
			Thing: r, ID: r.ID, Market: r.Market, Limit: r.Limit, All: r.All,
			Base: BaseURL(ctx), Caller: CallerOf(ctx), Trace: telemetry.TraceOf(ctx).ID,
		}, nil
	}
	server := httptest.NewServer(newHandler("test-things", []Route{
		Handle("GET /v1/things/{id}", "", deps, echo),
		Handle("PUT /v1/things/{id}", "", deps, echo),
		Handle("POST /v1/things", "write", deps, echo),
		Handle("DELETE /v1/things", "", deps, func(context.Context, thing, struct{}) (created, error) { return created{}, nil }),
		Handle("GET /v1/fail/{id}", "", deps, func(_ context.Context, r thing, _ struct{}) (thing, error) { return r, failures[r.ID]() }),
	}, func() (admission, error) { return a, nil }))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// reply is a response that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

type change func(*http.Request)

func header(k, v string) change { return func(r *http.Request) { r.Header.Set(k, v) } }

// client shows redirects instead of following them. Its connections are its own:
// the end of any test server closes those of the default transport.
var client = &http.Client{
	Transport:     &http.Transport{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send asks url as a client does that sends JSON.
func send(t testing.TB, method, url, body string, changes ...change) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range changes {
		c(r)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// do sends with a good token.
func (w *world) do(t testing.TB, method, path, body string, changes ...change) reply {
	t.Helper()
	bearer := header("Authorization", "Bearer "+w.token(t, w.clock.Now(), nil))
	return send(t, method, w.url+path, body, append([]change{bearer}, changes...)...)
}

// refusal checks the form of an error and gives its object.
func (r reply) refusal(t testing.TB) errorObject {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	var e errorBody
	if err := d.Decode(&e); err != nil || e.Error.Status != r.status || e.Error.Message == "" {
		t.Fatalf("status %d has no error object: %s (%v)", r.status, r.body, err)
	}
	if got := r.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
	return e.Error
}

// is checks a refusal's status and words.
func (r reply) is(t testing.TB, status int, words string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status = %d, want %d: %s", r.status, status, r.body)
	}
	if e := r.refusal(t); !strings.Contains(e.Message, words) {
		t.Errorf("message = %q, want %q in it", e.Message, words)
	}
}

// seen reads the answer of the logic.
func (r reply) seen(t testing.TB) (s seen) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status >= 300 {
		t.Fatalf("status %d: %s (%v)", r.status, r.body, err)
	}
	return s
}
