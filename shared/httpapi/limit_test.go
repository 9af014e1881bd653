package httpapi

import (
	"net/http"
	"strconv"
	"testing"
)

// Who asks too much is told when to come back; reads and writes are apart, and
// so are users.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *AuthConfig) { c.Limits.Limits = "read=1:2,write=1:1" })
	ask := func(method, user string) reply {
		t.Helper()
		body := ""
		if method == http.MethodPut {
			body = `{}`
		}
		token := w.token(t, w.clock.Now(), claim{"sub": user})
		return send(t, method, w.url+"/v1/things/1", body, header("Authorization", "Bearer "+token))
	}
	var last reply
	for range 20 {
		if last = ask(http.MethodGet, "a"); last.status != http.StatusOK {
			break
		}
	}
	after, err := strconv.Atoi(last.header.Get("Retry-After"))
	if last.status != http.StatusTooManyRequests || err != nil || after < 1 {
		t.Errorf("%d %s, Retry-After %q", last.status, last.body, last.header.Get("Retry-After"))
	}
	if r := ask(http.MethodPut, "a"); r.status != http.StatusOK {
		t.Errorf("a write: %d %s", r.status, r.body)
	}
	if r := ask(http.MethodGet, "b"); r.status != http.StatusOK {
		t.Errorf("another user: %d %s", r.status, r.body)
	}
}
