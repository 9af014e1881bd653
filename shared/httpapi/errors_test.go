package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/errs"
)

// secret is in every cause: no client may see it.
const secret = "table-Tracks-on-10.0.0.7"

var failures = map[string]func() error{
	"invalid":   func() error { return errs.Wrap(errors.New(secret), errs.Invalid, "the id is not one") },
	"forbidden": func() error { return errs.New(errs.Forbidden, "premium only").Because("premium_required") },
	"notfound":  func() error { return fmt.Errorf("%s: %w", secret, errs.New(errs.NotFound, "there is no such track")) },
	"conflict":  func() error { return errs.New(errs.Conflict, "it changed meanwhile") },
	"toolarge":  func() error { return errs.New(errs.TooLarge, "the file is too large") },
	"media":     func() error { return errs.New(errs.UnsupportedMedia, "not audio") },
	"many": func() error {
		return &errs.Error{Code: errs.TooManyRequests, Message: "slower", RetryAfter: 1500 * time.Millisecond}
	},
	"away":      func() error { return errs.Wrap(errors.New(secret), errs.Unavailable, "the keys are away") },
	"grpc":      func() error { return fmt.Errorf("read track: %w", status.Error(codes.Unavailable, secret)) },
	"exhausted": func() error { return status.Error(codes.ResourceExhausted, secret) },
	"slow":      func() error { return status.Error(codes.DeadlineExceeded, secret) },
	"deadline":  func() error { return fmt.Errorf("%s: %w", secret, context.DeadlineExceeded) },
	"refused": func() error {
		return &url.Error{Op: "Get", URL: secret, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	},
	"storage":     func() error { return fmt.Errorf("read: %w", &googleapi.Error{Code: 502, Message: secret}) },
	"storagefull": func() error { return &googleapi.Error{Code: 429, Message: secret} },
	"storagebad":  func() error { return &googleapi.Error{Code: 403, Message: secret} },
	"internal":    func() error { return errs.Wrap(errors.New(secret), errs.Internal, "it broke") },
	"plain":       func() error { return errors.New(secret) },
	"notingrpc":   func() error { return status.Error(codes.NotFound, secret) },
	"newcode":     func() error { return errs.Wrap(errors.New(secret), "teapot", "a code that has no row") },
	"panic":       func() error { panic(secret) },
	"nilpointer":  func() error { return fmt.Errorf("%d", (*errs.Error)(nil).RetryAfter) },
}

func TestErrorsBecomeStatuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, want := range map[string]struct {
		status                      int
		message, reason, retryAfter string
	}{
		"invalid":     {400, "the id is not one", "", ""},
		"forbidden":   {403, "premium only", "premium_required", ""},
		"notfound":    {404, "there is no such track", "", ""},
		"conflict":    {409, "it changed meanwhile", "", ""},
		"toolarge":    {413, "the file is too large", "", ""},
		"media":       {415, "not audio", "", ""},
		"many":        {429, "slower", "", "2"},
		"away":        {503, "the keys are away", "", "5"},
		"grpc":        {503, "a service that this needs is not available; try again", "", "5"},
		"exhausted":   {503, "a service that this needs is not available; try again", "", "5"},
		"slow":        {503, "a service that this needs is not available; try again", "", "5"},
		"deadline":    {503, "a service that this needs is not available; try again", "", "5"},
		"refused":     {503, "a service that this needs is not available; try again", "", "5"},
		"storage":     {503, "a service that this needs is not available; try again", "", "5"},
		"storagefull": {503, "a service that this needs is not available; try again", "", "5"},
		"storagebad":  {500, "something went wrong on our side", "", ""},
		"internal":    {500, "it broke", "", ""},
		"plain":       {500, "something went wrong on our side", "", ""},
		"notingrpc":   {500, "something went wrong on our side", "", ""},
		"newcode":     {500, "a code that has no row", "", ""},
		"nilpointer":  {500, "something went wrong on our side (trace 4bf92f3577b34da6a3ce929d0e0e4736)", "", ""},
		"panic":       {500, "something went wrong on our side (trace 4bf92f3577b34da6a3ce929d0e0e4736)", "", ""},
	} {
		got := w.do(t, "GET", "/v1/fail/"+name, "", header("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
		e := got.refusal(t)
		if got.status != want.status || e.Message != want.message || e.Reason != want.reason || got.header.Get("Retry-After") != want.retryAfter {
			t.Errorf("%s: status %d, %+v, Retry-After %q", name, got.status, e, got.header.Get("Retry-After"))
		}
		if strings.Contains(got.body, secret) || strings.Contains(fmt.Sprint(got.header), secret) || strings.Contains(got.body, ".go:") {
			t.Errorf("%s shows internals: %s", name, got.body)
		}
		if want.reason == "" && strings.Contains(got.body, "reason") {
			t.Errorf("%s: an empty reason is sent: %s", name, got.body)
		}
		if line := logged.line(`"path":"/v1/fail/` + name + `","status":5`); want.status >= 500 && line == "" {
			t.Errorf("%s is not in the log", name)
		}
	}
	if line := logged.line(`/v1/fail/plain`); !strings.Contains(line, secret) || !strings.Contains(line, `"severity":"ERROR"`) {
		t.Errorf("the cause is not in the log: %q", line)
	}
	if line := logged.line(`"message":"panic"`); !strings.Contains(line, "stack") {
		t.Errorf("the panic is not in the log: %q", line)
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []errs.Code{
		errs.Invalid, errs.Unauthenticated, errs.Forbidden, errs.NotFound, errs.MethodNotAllowed, errs.Conflict,
		errs.TooLarge, errs.TooSlow, errs.UnsupportedMedia, errs.TooManyRequests, errs.Unavailable, errs.Internal,
	} {
		if statuses[code] == 0 {
			t.Errorf("%s has no status", code)
		}
	}
}

func TestFunctionThatIsNotReadyRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deps = errors.New(secret)
	got := w.do(t, "GET", "/v1/things/a", "")
	got.is(t, 503, "this function is not ready; try again")
	if got.header.Get("Retry-After") != "5" || strings.Contains(got.body, secret) {
		t.Errorf("Retry-After %q, body %s", got.header.Get("Retry-After"), got.body)
	}
	w.deps = nil
	w.do(t, "GET", "/v1/things/a", "").seen(t)
}

// What a response cannot say in JSON is our fault, and the client's no riddle.
func TestResponseThatIsNoJSON(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, make(chan int)) }))
	defer server.Close()
	send(t, "GET", server.URL, "").is(t, 500, "something went wrong on our side")
}

// A process that drains ends when its last handler returns: the answer must be
// on its way by then.
func TestAnswerIsSentBeforeTheRequestLeaves(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	middleware("test-panic", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "x") })).ServeHTTP(w, r)
	if !w.Flushed {
		t.Error("the answer was left to the server")
	}
}
