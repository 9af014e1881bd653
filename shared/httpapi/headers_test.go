package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get, head := w.do(t, "GET", "/v1/things/a", ""), w.do(t, "HEAD", "/v1/things/a", "")
	if head.status != 200 || head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
		t.Errorf("HEAD = %+v", head)
	}
	if got := w.do(t, "HEAD", "/v1/things", ""); got.status != 405 || got.body != "" {
		t.Errorf("HEAD without a GET = %+v", got)
	}
	if got := send(t, "HEAD", w.url+"/v1/things/a", ""); got.status != 401 {
		t.Errorf("HEAD without a token: status %d", got.status)
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]string{
		"/v1/things":    "DELETE, OPTIONS, POST",
		"/v1/things/a":  "GET, HEAD, OPTIONS, PUT",
		"/v1/things/a/": "GET, HEAD, OPTIONS, PUT",
	} {
		got := send(t, "PATCH", w.url+path, "")
		if got.status != 405 || got.header.Get("Allow") != want {
			t.Errorf("PATCH %s: status %d, Allow = %q, want %q", path, got.status, got.header.Get("Allow"), want)
		}
	}
}

// A browser asks without a token, and must be able to read every answer.
func TestBrowsersMayCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	origin := header("Origin", "https://app.segue.test")
	preflight := send(t, "OPTIONS", w.url+"/v1/things", "", origin,
		header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization"))
	if preflight.status != http.StatusNoContent || preflight.body != "" {
		t.Errorf("preflight = %+v", preflight)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "DELETE, OPTIONS, POST", "Allow": "DELETE, OPTIONS, POST",
		"Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-Request-Id, Traceparent", "Access-Control-Max-Age": "86400",
	} {
		if got := preflight.header.Get(name); got != want {
			t.Errorf("preflight: %s = %q, want %q", name, got, want)
		}
	}
	for name, got := range map[string]reply{
		"success":       w.do(t, "GET", "/v1/things/a", "", origin),
		"no token":      send(t, "GET", w.url+"/v1/things/a", "", origin),
		"unknown route": send(t, "GET", w.url+"/v1/other", "", origin),
		"panic":         w.do(t, "GET", "/v1/fail/panic", "", origin),
	} {
		if got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%s: headers %v", name, got.header)
		}
		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the body may be sniffed", name)
		}
	}
	if got := send(t, "OPTIONS", w.url+"/v1/other", "", origin); got.status != 404 {
		t.Errorf("preflight of nothing: status %d", got.status)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for given, kept := range map[string]bool{
		"a-Client.Id_1":          true,
		strings.Repeat("a", 64):  true,
		strings.Repeat("a", 65):  false,
		"":                       false,
		"with space":             false,
		"forged\tid":             false,
		`"quoted"`:               false,
		"ünicode":                false,
		"<script>alert</script>": false,
	} {
		got := send(t, "GET", w.url+"/v1/other", "", header("X-Request-Id", given)).header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("X-Request-Id %q became %q", given, got)
		}
	}
	a, b := w.do(t, "GET", "/v1/things/a", ""), w.do(t, "GET", "/v1/things/a", "")
	if a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
		t.Error("two requests share an id")
	}
	if line := logged.line(a.header.Get("X-Request-Id")); !strings.Contains(line, `"path":"/v1/things/a"`) || !strings.Contains(line, `"status":200`) {
		t.Errorf("log line of the request = %q", line)
	}
}

func TestTraceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	if got := w.do(t, "GET", "/v1/things/a", "", header("Traceparent", "00-"+id+"-00f067aa0ba902b7-01")).seen(t).Trace; got != id {
		t.Errorf("trace = %q", got)
	}
	if !strings.Contains(logged.line(id), `"logging.googleapis.com/trace":"`+id+`"`) {
		t.Errorf("the trace is not in the log: %q", logged.line(id))
	}
	if got := w.do(t, "GET", "/v1/things/a", "", header("Traceparent", "00-x")).seen(t).Trace; len(got) != 32 {
		t.Errorf("trace of a broken header = %q", got)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	trusting := newWorld(t, func(c *AuthConfig) { c.TrustForwarded = true })
	wary := newWorld(t)
	host := func(h string) change { return func(r *http.Request) { r.Host = h } }
	proto, forwarded := header("X-Forwarded-Proto", "https"), header("X-Forwarded-Host", "api.segue.test")
	for _, test := range []struct {
		name    string
		world   *world
		changes []change
		want    string
	}{
		{"the host that was asked", wary, []change{host("one.segue.test:81")}, "http://one.segue.test:81"},
		{"a client's claim", wary, []change{host("one.segue.test"), proto, forwarded}, "http://one.segue.test"},
		{"the load balancer's word", trusting, []change{proto, forwarded}, "https://api.segue.test"},
		{"no word of the load balancer", trusting, []change{host("one.segue.test")}, "http://one.segue.test"},
		{"a scheme that is none", trusting, []change{host("one.segue.test"), header("X-Forwarded-Proto", "javascript")}, "http://one.segue.test"},
	} {
		if got := test.world.do(t, "GET", "/v1/things/a", "", test.changes...).seen(t).Base; got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
