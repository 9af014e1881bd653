package faults_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/faults"
)

// serve is a store behind a proxy, and a client that keeps no connection.
func serve(t *testing.T) (*faults.Faults, faults.Proxy, func(time.Duration) (string, error)) {
	t.Helper()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	t.Cleanup(store.Close)
	f := faults.New(faults.Options{Stores: map[string]string{"store": store.Listener.Addr().String()}, Log: io.Discard})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	p, err := f.Proxy("store")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return f, p, func(within time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.Host("store"), nil)
		if err != nil {
			return "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
}

func TestFaultsComeAndGo(t *testing.T) {
	t.Parallel()
	f, p, get := serve(t)
	here := func(when string) {
		t.Helper()
		if s, err := get(10 * time.Second); s != "here" {
			t.Errorf("%s: %q, %v", when, s, err)
		}
		if err := f.Health(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	here("at first")
	if err := p.Slow(300 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if start := time.Now(); true {
		here("slow")
		if d := time.Since(start); d < 300*time.Millisecond {
			t.Errorf("slow took %s", d)
		}
	}
	mend := func() {
		t.Helper()
		if err := p.Mend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mend()
	p.Cut()
	if _, err := get(10 * time.Second); err == nil || os.IsTimeout(err) {
		t.Errorf("cut: %v", err)
	}
	if err := f.Health(t.Context()); err != nil {
		t.Errorf("cut: %v", err)
	}
	mend()
	here("after the cut")
	if err := p.Swallow(); err != nil {
		t.Fatal(err)
	}
	if _, err := get(200 * time.Millisecond); !os.IsTimeout(err) {
		t.Errorf("black hole: %v", err)
	}
	mend()
	here("after the black hole")
}

// The API is toxiproxy's own.
func TestAPI(t *testing.T) {
	t.Parallel()
	f, p, get := serve(t)
	post := func(path, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if code := post("/proxies/store", `{"enabled": false}`); code != http.StatusOK {
		t.Fatal(code)
	}
	if _, err := get(10 * time.Second); err == nil {
		t.Error("it is cut, and answers")
	}
	if code := post("/reset", ""); code != http.StatusNoContent {
		t.Fatal(code)
	}
	if s, err := get(10 * time.Second); s != "here" {
		t.Errorf("%q, %v", s, err)
	}
	if code := post("/proxies/other/toxics", `{"type": "latency"}`); code != http.StatusNotFound {
		t.Error(code)
	}
	if err := p.Slow(-time.Second); err != nil {
		t.Error(err) // toxiproxy takes it for no delay
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	f := faults.New(faults.Options{Stores: map[string]string{"store": "localhost"}, Log: io.Discard})
	if err := f.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `store store: "localhost" is not host:port`) {
		t.Error(err)
	}
	if _, err := f.Proxy("store"); err == nil || !strings.Contains(err.Error(), `store "store"`) {
		t.Error(err)
	}
	if f.Host("store") != "" {
		t.Error("a proxy that is not there has an address")
	}
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
