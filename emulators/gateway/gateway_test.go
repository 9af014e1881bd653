package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segue-audio/segue/functions"
)

var manifest = &functions.Manifest{Functions: []functions.Function{
	{Name: "catalog-browse", Kind: functions.HTTP, Routes: []functions.Route{{Method: "GET", Path: "/v1/tracks/{id}"}}},
	{Name: "playback-stream", Kind: functions.HTTP, Routes: []functions.Route{{Method: "GET", Path: "/v1/tracks/{id}/stream"}}},
	{Name: "ingest-upload", Kind: functions.HTTP, Routes: []functions.Route{
		{Method: "POST", Path: "/v1/uploads"}, {Method: "GET", Path: "/v1/uploads"}, {Method: "GET", Path: "/v1/uploads/{id}"},
	}},
	{Name: "account-profile", Kind: functions.HTTP, Routes: []functions.Route{{Method: "GET", Path: "/v1/me"}}},
	{Name: "ops-relay", Kind: functions.Scheduled},
}}

// seen is what a function received.
type seen struct {
	Function, Method, Path, Query, Body, Authorization string
	Forwarded                                          map[string][]string
}

// start runs a gateway before functions that answer with what they see.
// account-profile is not there.
func start(t *testing.T, log io.Writer) *Gateway {
	t.Helper()
	urls := map[string]string{}
	for _, f := range manifest.Functions {
		server := httptest.NewServer(http.StripPrefix("/"+f.Name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			s := seen{
				Function: f.Name, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: string(b),
				Authorization: r.Header.Get("Authorization"), Forwarded: map[string][]string{},
			}
			for k, v := range r.Header {
				if strings.Contains(k, "Forwarded") {
					s.Forwarded[k] = v
				}
			}
			w.Header().Set("X-Function", f.Name)
			w.WriteHeader(http.StatusTeapot)
			_ = json.NewEncoder(w).Encode(s)
		})))
		t.Cleanup(server.Close)
		urls[f.Name] = server.URL + "/" + f.Name
		if f.Name == "account-profile" {
			server.Close()
		}
	}
	g := New(Options{
		Manifest: manifest, FunctionURL: func(name string) string { return urls[name] }, Log: log,
		Harness: map[string]http.Handler{"GET /_emulators/hello": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })},
	})
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return g
}

type reply struct {
	status int
	header http.Header
	body   string
}

func send(t *testing.T, method, url, body string, header http.Header) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
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

func TestPathDecidesTheFunction(t *testing.T) {
	t.Parallel()
	g := start(t, io.Discard)
	for _, test := range []struct{ method, path, function, seenPath string }{
		{"GET", "/v1/tracks/a", "catalog-browse", "/v1/tracks/a"},
		{"GET", "/v1/tracks/a/", "catalog-browse", "/v1/tracks/a/"},
		{"GET", "/v1/tracks/a%2Fb", "catalog-browse", "/v1/tracks/a%2Fb"},
		{"GET", "/v1/tracks/a?market=SE&x=%20", "catalog-browse", "/v1/tracks/a"},
		{"GET", "/v1/tracks/a/stream", "playback-stream", "/v1/tracks/a/stream"},
		{"GET", "/v1/tracks/a/stream/", "playback-stream", "/v1/tracks/a/stream/"},
		{"POST", "/v1/uploads", "ingest-upload", "/v1/uploads"},
		{"POST", "/v1/uploads/", "ingest-upload", "/v1/uploads/"},
		{"GET", "/v1/uploads/1", "ingest-upload", "/v1/uploads/1"},
		// What a method means is the function's own to say.
		{"DELETE", "/v1/tracks/a", "catalog-browse", "/v1/tracks/a"},
		{"OPTIONS", "/v1/uploads", "ingest-upload", "/v1/uploads"},
	} {
		body := ""
		if test.method == "POST" {
			body = `{"filename": "a.flac"}`
		}
		got := send(t, test.method, g.URL()+test.path, body, http.Header{"Authorization": {"Bearer x"}})
		var s seen
		if err := json.Unmarshal([]byte(got.body), &s); err != nil {
			t.Fatalf("%s %s: status %d: %s", test.method, test.path, got.status, got.body)
		}
		if s.Function != test.function || s.Path != test.seenPath || s.Method != test.method || s.Body != body || s.Authorization != "Bearer x" {
			t.Errorf("%s %s reached %+v", test.method, test.path, s)
		}
		if _, query, _ := strings.Cut(test.path, "?"); s.Query != query {
			t.Errorf("%s %s: query %q", test.method, test.path, s.Query)
		}
		if got.status != http.StatusTeapot || got.header.Get("X-Function") != test.function {
			t.Errorf("%s %s: the answer became %d %v", test.method, test.path, got.status, got.header)
		}
	}
}

func TestUnknownPathIsJSON(t *testing.T) {
	t.Parallel()
	g := start(t, io.Discard)
	for _, path := range []string{"/", "/v1", "/v1/tracks", "/v1/tracks/a/b", "/v1/uploads/1/2", "/ops-relay", "/catalog-browse/v1/tracks/a"} {
		got := send(t, "GET", g.URL()+path, "", nil)
		want := fmt.Sprintf(`{"error":{"status":404,"message":"there is nothing at %s"}}`, path)
		if got.status != 404 || got.body != want || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: status %d, %v: %s", path, got.status, got.header, got.body)
		}
	}
}

func TestForwardedHeadersAreTheGatewaysOwn(t *testing.T) {
	t.Parallel()
	g := start(t, io.Discard)
	claims := http.Header{
		"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Host": {"evil.test"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=6.6.6.6"},
	}
	var s seen
	if err := json.Unmarshal([]byte(send(t, "GET", g.URL()+"/v1/tracks/a", "", claims).body), &s); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(g.URL(), "http://")
	want := map[string][]string{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {"http"}}
	if fmt.Sprint(s.Forwarded) != fmt.Sprint(want) {
		t.Errorf("the function saw %v, want %v", s.Forwarded, want)
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestFunctionThatIsAwayIs503(t *testing.T) {
	t.Parallel()
	log := &lines{}
	g := start(t, log)
	got := send(t, "GET", g.URL()+"/v1/me", "", nil)
	if got.status != 503 || got.body != `{"error":{"status":503,"message":"the service is not available; try again"}}` {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got.header.Get("Retry-After") != "5" || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers = %v", got.header)
	}
	if !strings.HasPrefix(log.String(), "account-profile: ") || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("log = %q", log)
	}
}

func TestHarnessAndHealthAreBesideTheAPI(t *testing.T) {
	t.Parallel()
	g := start(t, io.Discard)
	if got := send(t, "GET", g.URL()+"/_emulators/hello", "", nil); got.status != 200 || got.body != "hello" {
		t.Errorf("harness: %+v", got)
	}
	if err := g.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.Health(t.Context()); err == nil {
		t.Error("a stopped gateway is healthy")
	}
}

func TestGatewayThatDoesNotStart(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, o := range map[string]Options{
		"gateway: " + l.Addr().String() + " cannot be listened on": {Addr: l.Addr().String(), FunctionURL: func(string) string { return "" }},
		"URL of catalog-browse": {FunctionURL: func(string) string { return "http://a b" }},
	} {
		o.Manifest = manifest
		g := New(o)
		if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("start: %v, want %q", err, want)
		}
		if err := g.Stop(t.Context()); err != nil || g.Failed() != nil {
			t.Errorf("stop: %v", err)
		}
	}
}
