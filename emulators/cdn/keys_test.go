package cdn

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// admin serves the CDN's keys as the harness's gateway does.
func (b *bench) admin(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(b.Keys())
	t.Cleanup(s.Close)
	return s.URL + KeysPath
}

func put(t *testing.T, url, body string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return response{status: resp.StatusCode}
}

func text(key string) string { return base64.URLEncoding.EncodeToString([]byte(key)) + "\n" }

func TestKeysOfABackend(t *testing.T) {
	t.Parallel()
	b := start(t)
	at := b.admin(t)
	third := text("the third key,16")
	for i, step := range []struct {
		method, name, body string
		status             int
		keys               string // afterwards
	}{
		{http.MethodPut, "short", text("short"), 400, `"new","old"`},
		{http.MethodPut, "long", text(strings.Repeat("x", 17)), 400, `"new","old"`},
		{http.MethodPut, "vast", strings.Repeat("A", 4096), 400, `"new","old"`},
		{http.MethodPut, "text", "no base64!", 400, `"new","old"`},
		{http.MethodPut, "none", "", 400, `"new","old"`},
		{http.MethodPut, "a%20name", third, 400, `"new","old"`},
		{http.MethodPut, strings.Repeat("n", 64), third, 400, `"new","old"`},
		{http.MethodPut, "old", third, 409, `"new","old"`},
		{http.MethodPut, "old", text("fedcba9876543210"), 200, `"new","old"`},
		{http.MethodPut, "third", third, 201, `"new","old","third"`},
		{http.MethodPut, "fourth", text("the fourth key16"), 409, `"new","old","third"`},
		{http.MethodPut, "third", third, 200, `"new","old","third"`},
		{http.MethodDelete, "fourth", "", 404, `"new","old","third"`},
		{http.MethodDelete, "old", "", 204, `"new","third"`},
		{http.MethodDelete, "old", "", 404, `"new","third"`},
		{http.MethodDelete, "new", "", 204, `"third"`},
		{http.MethodDelete, "third", "", 409, `"third"`},
		{http.MethodPost, "third", "", 405, `"third"`},
	} {
		var got response
		if step.method == http.MethodPut {
			got = put(t, at+"/"+step.name, step.body)
		} else {
			got = do(t, step.method, at+"/"+step.name)
		}
		if got.status != step.status {
			t.Errorf("%d: %s %s: %d, want %d: %s", i, step.method, step.name, got.status, step.status, got.body)
		}
		if list := get(t, at); strings.TrimSpace(list.body) != `{"keys":[`+step.keys+"]}" {
			t.Errorf("%d: the keys are %s, want %s", i, list.body, step.keys)
		}
	}
	if strings.Contains(get(t, at).body, text("the third key,16")[:8]) {
		t.Error("the list shows keys")
	}
}

// A signing key is replaced while clients read all the time: add, sign with it,
// wait as long as URLs live, delete. None of them is refused; then the old one is.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	b := start(t)
	at := b.admin(t)
	fresh := []byte("a key that's new")
	old := b.sign(t, folder).Data
	var signs atomic.Pointer[[2]string]
	signs.Store(&[2]string{"new", string(keys()["new"])})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var served atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				key := *signs.Load()
				urls, err := b.signer(t, b.URL(), key[0], []byte(key[1])).Sign(ctx, folder, b.clock.Now().Add(time.Hour)) // the clock leaps
				if err != nil {
					t.Error(err)
					return
				}
				if got := get(t, urls.Data, "Range", "bytes=0-15"); got.status != http.StatusPartialContent {
					t.Errorf("signed by %s: %d %s", key[0], got.status, got.body)
				}
				served.Add(1)
			}
		})
	}
	more := func(what string) { // every step lasts for some requests
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		deadline := time.After(10 * time.Second)
		for n := served.Load() + 20; served.Load() < n; {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s: no requests", what)
			}
		}
	}
	more("before")
	if got := put(t, at+"/fresh", text(string(fresh))); got.status != 201 {
		t.Fatalf("add: %d", got.status)
	}
	more("added")
	signs.Store(&[2]string{"fresh", string(fresh)})
	more("switched")
	if got := get(t, old); got.status != http.StatusOK {
		t.Errorf("a URL of before: %d", got.status)
	}
	b.clock.advance(9 * time.Minute)
	if got := get(t, old); got.status != http.StatusOK {
		t.Errorf("a URL of before, nine minutes later: %d", got.status)
	}
	b.clock.advance(time.Minute)
	if got := do(t, http.MethodDelete, at+"/new"); got.status != 204 {
		t.Fatalf("delete: %d", got.status)
	}
	more("deleted")
	cancel()
	clients.Wait()
	if got := get(t, b.sign(t, folder).Data); got.status != http.StatusForbidden || !strings.Contains(got.body, "KeyName") {
		t.Errorf("signed by the key that is gone: %d %s", got.status, got.body)
	}
}
