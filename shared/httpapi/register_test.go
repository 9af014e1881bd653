package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/registry"
)

func registered(t *testing.T, name string) registry.Function {
	t.Helper()
	for _, f := range registry.All() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("%s is not registered", name)
	return registry.Function{}
}

// Not parallel: it sets the environment, as a deployment does.
func TestRegister(t *testing.T) {
	notReady := errors.New("not ready")
	type config struct{ AuthConfig }
	deps := func() (int, error) { return 0, nil }
	Register[config]("test-register", func() error { return notReady },
		Handle("GET /v1/tests/{id}", "streaming", deps, func(ctx context.Context, _ thing, _ int) (Caller, error) { return CallerOf(ctx), nil }))
	f := registered(t, "test-register")
	if want := []registry.Route{{Method: "GET", Path: "/v1/tests/{id}", Scope: "streaming"}}; !slices.Equal(f.Routes, want) {
		t.Errorf("routes = %v", f.Routes)
	}
	if want := []string{"SEGUE_JWKS_URL", "SEGUE_RATE_LIMITS", "SEGUE_REDIS_URL", "SEGUE_TOKEN_AUDIENCE", "SEGUE_TOKEN_ISSUER", "SEGUE_TRUST_FORWARDED"}; !slices.Equal(f.Environment, want) {
		t.Errorf("environment = %v", f.Environment)
	}
	if !errors.Is(f.Ready(), notReady) {
		t.Errorf("ready = %v", f.Ready())
	}
	server := httptest.NewServer(f.HTTP)
	defer server.Close()
	i := newIssuer(t)
	bearer := header("Authorization", "Bearer "+i.token(t, time.Now(), nil))
	send(t, "GET", server.URL+"/v1/tests/a", "", bearer).is(t, 503, "this function is not ready; try again")
	t.Setenv("SEGUE_TOKEN_ISSUER", tokenIssuer)
	t.Setenv("SEGUE_TOKEN_AUDIENCE", tokenAudience)
	t.Setenv("SEGUE_JWKS_URL", i.url)
	t.Setenv("SEGUE_REDIS_URL", "redis://127.0.0.1:1/0")
	t.Setenv("SEGUE_RATE_LIMITS", "reads=1:1")
	send(t, "GET", server.URL+"/v1/tests/a", "", bearer).is(t, 503, "this function is not ready; try again")
	t.Setenv("SEGUE_RATE_LIMITS", "read=1:1")
	got := send(t, "GET", server.URL+"/v1/tests/a", "", bearer)
	if got.status != 200 || !strings.Contains(got.body, "user-1") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

func TestOperationWithoutAMethodPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), `"/v1/tests"`) {
			t.Errorf("panic = %v", p)
		}
	}()
	Handle("/v1/tests", "", func() (int, error) { return 0, nil }, func(context.Context, thing, int) (int, error) { return 0, nil })
}

// job is a job function of a name of its own over a server.
func job(t *testing.T, deps func() (int, error), run func(context.Context, int) (map[string]int, error)) string {
	t.Helper()
	name := strings.ToLower(t.Name())
	RegisterJob[struct{}](name, deps, run)
	server := httptest.NewServer(registered(t, name).HTTP)
	t.Cleanup(server.Close)
	return server.URL
}

func three() (int, error) { return 3, nil }

func TestJobRunsOncePerPost(t *testing.T) {
	t.Parallel()
	runs := 0
	url := job(t, three, func(_ context.Context, d int) (map[string]int, error) {
		runs++
		return map[string]int{"published": d}, nil
	})
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if got := send(t, method, url, ""); got.status != 405 || got.header.Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow = %q", method, got.status, got.header.Get("Allow"))
		}
	}
	if runs != 0 {
		t.Fatalf("the job ran %d times without a POST", runs)
	}
	for _, path := range []string{"", "/", "/any/path"} {
		if got := send(t, "POST", url+path, ""); got.status != 200 || got.body != `{"published":3}` {
			t.Errorf("POST %s: status %d: %s", path, got.status, got.body)
		}
	}
	send(t, "POST", url, strings.Repeat("a", maxBody+1)).is(t, 413, "larger than")
	if runs != 3 {
		t.Errorf("the job ran %d times for 3 POSTs", runs)
	}
}

func TestJobThatFails(t *testing.T) {
	t.Parallel()
	url := job(t, three, func(context.Context, int) (map[string]int, error) {
		return nil, status.Error(codes.Unavailable, secret)
	})
	got := send(t, "POST", url, "")
	got.is(t, 503, "not available")
	if got.header.Get("Retry-After") == "" || strings.Contains(got.body, secret) {
		t.Errorf("reply = %+v", got)
	}
}

func TestJobThatIsNotReady(t *testing.T) {
	t.Parallel()
	away := true
	url := job(t, func() (int, error) {
		if away {
			return 0, errors.New(secret)
		}
		return 3, nil
	}, func(context.Context, int) (map[string]int, error) { return map[string]int{}, nil })
	send(t, "POST", url, "").is(t, 503, "not ready")
	if err := registered(t, strings.ToLower(t.Name())).Ready(); err == nil {
		t.Error("it says that it is ready")
	}
	away = false
	if got := send(t, "POST", url, ""); got.status != 200 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

// The scheduler that hangs up, or a front that cuts, must not leave a run behind.
func TestJobEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	running, ended := make(chan struct{}), make(chan error, 1)
	url := job(t, three, func(ctx context.Context, _ int) (map[string]int, error) {
		close(running)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("POST / HTTP/1.1\r\nHost: job\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
		t.Fatal(err)
	}
	<-running
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("context ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the run goes on")
	}
}
