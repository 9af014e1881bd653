package cloudrun

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/identity"
)

// All functions, in one process, as the harness hosts them.
func TestConformance(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.options.Env = segue(t, h.issuer)
	h.start(t)
	for name, test := range map[string]func(*testing.T, *host){
		"HTTP functions are open to all":                testOpenToAll,
		"the others are for services with their token":  testServicesOnly,
		"a function has all paths below its URL":        testPaths,
		"the load balancer's headers and host are kept": testForwarded,
		"what takes longer than the manifest allows":    testTimeout,
		"there is nothing at other paths":               testNothing,
	} {
		t.Run(name, func(t *testing.T) { test(t, h) })
	}
	if err := h.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

func testOpenToAll(t *testing.T, h *host) {
	// The function's own code is what refuses, and knows users' tokens.
	got := send(t, "GET", h.URL("catalog-browse")+"/v1/tracks/a", nil, nil)
	if got.status != 401 || !strings.Contains(got.body, "no access token") {
		t.Errorf("without a token: %+v", got)
	}
	token, err := h.issuer.AccessToken(identity.Claims{Subject: "user", ClientID: "app"})
	if err != nil {
		t.Fatal(err)
	}
	got = send(t, "GET", h.URL("catalog-browse")+"/v1/tracks/0000000000000000000000", nil, map[string]string{"Authorization": "Bearer " + token})
	if got.status != 404 || !strings.Contains(got.body, `"status":404`) {
		t.Errorf("with a user's token: %+v", got)
	}
}

func testServicesOnly(t *testing.T, h *host) {
	stranger, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.segue.test", Audience: "https://api.segue.test"})
	if err != nil {
		t.Fatal(err)
	}
	user, err := h.issuer.AccessToken(identity.Claims{Subject: "user", ClientID: "app"})
	if err != nil {
		t.Fatal(err)
	}
	service := func(i *identity.Issuer, audience string) string {
		token, err := i.ServiceToken(audience, "push@segue.test")
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	for _, name := range []string{"ops-relay", "test-job", "test-event", "ingest-probe"} {
		for why, authorization := range map[string]string{
			"no token":                 "",
			"garbage":                  "Bearer garbage",
			"another scheme":           strings.Replace(service(h.issuer, h.URL(name)), "Bearer", "Basic", 1),
			"a user's token":           "Bearer " + user,
			"another function's token": service(h.issuer, h.URL("ingest-publish")),
			"a token for the host":     service(h.issuer, h.front.URL()),
			"another issuer's token":   service(stranger, h.URL(name)),
		} {
			for _, path := range []string{"", "/", "/projects/p/topics/t"} {
				got := send(t, "POST", h.URL(name)+path, nil, map[string]string{"Authorization": authorization})
				if got.status != 403 || !strings.Contains(got.body, "may not invoke "+name) {
					t.Errorf("%s%s with %s: %+v", name, path, why, got)
				}
			}
		}
	}
	got := send(t, "POST", h.URL("ops-relay"), nil, map[string]string{"Authorization": service(h.issuer, h.URL("ops-relay"))})
	if got.status != 200 || got.body != `{"published":0}` {
		t.Errorf("ops-relay with its token: %+v", got)
	}
	got = send(t, "POST", h.URL("test-event"), nil, map[string]string{
		"Authorization": service(h.issuer, h.URL("test-event")),
		"Ce-Id":         "event-1", "Ce-Source": "//segue.test", "Ce-Type": "test", "Ce-Specversion": "1.0",
	})
	if got.status != 200 {
		t.Errorf("test-event with its token: %+v", got)
	}
	h.out.until(t, "event event-1\n")
	if strings.Count(h.out.String(), "event event-") != 1 {
		t.Errorf("refused events reached the function:\n%s", h.out)
	}
}

func testPaths(t *testing.T, h *host) {
	for path, want := range map[string]string{
		"":                      "/",
		"/":                     "/",
		"/v1/tracks/a":          "/v1/tracks/a",
		"/v1/tracks/a/":         "/v1/tracks/a/",
		"/v1/tracks/a%2Fb%20":   "/v1/tracks/a%2Fb%20",
		"/v1/tracks/a?market=x": "/v1/tracks/a",
	} {
		s := send(t, "GET", h.URL("test-echo")+path, nil, nil).echoed(t)
		_, query, _ := strings.Cut(path, "?")
		if s.Path != want || s.Query != query || s.PID != h.PID() || s.Target != "" {
			t.Errorf("%q: the function saw %+v", path, s)
		}
	}
}

func testForwarded(t *testing.T, h *host) {
	s := send(t, "GET", h.URL("test-echo"), nil, nil).echoed(t)
	if len(s.Forwarded) != 0 || s.Host != strings.TrimPrefix(h.front.URL(), "http://") {
		t.Errorf("without a load balancer the function saw %+v", s)
	}
	header := map[string]string{"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Host": "api.segue.test", "X-Forwarded-Proto": "https"}
	s = send(t, "GET", h.URL("test-echo"), nil, header).echoed(t)
	for k, v := range header {
		if s.Forwarded[k] != v {
			t.Errorf("%s = %q, want %q", k, s.Forwarded[k], v)
		}
	}
}

func testTimeout(t *testing.T, h *host) {
	// The one function whose time is short; all others have enough.
	m := manifest(t)
	for i := range m.Functions {
		if m.Functions[i].Name == "test-slow" {
			m.Functions[i].Timeout = 100 * time.Millisecond
		}
	}
	impatient := &Host{options: h.options, port: h.port}
	impatient.options.Manifest = m
	server := httptest.NewServer(impatient.handler())
	defer server.Close()
	got := send(t, "GET", server.URL+"/test-slow/cut", nil, nil)
	if got.status != http.StatusGatewayTimeout {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	h.out.until(t, "slow: cut\n") // its context ended
	send(t, "GET", server.URL+"/test-echo", nil, nil).echoed(t)
}

func testNothing(t *testing.T, h *host) {
	for _, path := range []string{"/", "/healthz", "/no-function", "/no-function/v1/tracks/a", "/v1/tracks/a"} {
		if got := send(t, "GET", h.front.URL()+path, nil, nil); got.status != 404 || got.body != "no such function\n" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
