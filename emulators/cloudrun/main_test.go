package cloudrun

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/drain"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/registry"
)

const (
	patience = 30 * time.Second
	// stuckVariable makes a process that never comes up.
	stuckVariable = "SEGUE_TEST_STUCK"
)

func TestMain(m *testing.M) {
	registerTestFunctions()
	Child()
	emutest.Main(m)
}

// seen is what a function received, and where it runs.
type seen struct {
	Path, Query, Host, Target string
	PID                       int
	Forwarded                 map[string]string
}

// registerTestFunctions adds functions that show their surroundings to those of
// Segue.
func registerTestFunctions() {
	ready := func() error {
		if os.Getenv(stuckVariable) != "" {
			fmt.Println("stuck")
			<-make(chan struct{})
		}
		return nil
	}
	registry.Add(registry.Function{Name: "test-echo", Ready: ready, HTTP: echo})
	registry.Add(registry.Function{Name: "test-slow", Ready: ready, HTTP: slow})
	registry.Add(registry.Function{Name: "test-job", Ready: ready, HTTP: echo})
	registry.Add(registry.Function{Name: "test-event", Ready: ready, CloudEvent: func(_ context.Context, e event.Event) error {
		fmt.Println("event", e.ID())
		return nil
	}})
}

// slow takes its time below two paths.
func slow(w http.ResponseWriter, r *http.Request) {
	leave, ok := drain.Enter()
	defer leave()
	if !ok {
		http.Error(w, "the end", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/draining": // ends when the test lets it
		fmt.Println("slow: entered")
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "complete")
	case "/dying":
		crash.Point("test:dying")
	case "/cut":
		<-r.Context().Done()
		fmt.Println("slow: cut")
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	s := seen{
		Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Target: os.Getenv("FUNCTION_TARGET"), PID: os.Getpid(),
		Forwarded: map[string]string{},
	}
	for _, k := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v, ok := r.Header[k]; ok {
			s.Forwarded[k] = strings.Join(v, ", ")
		}
	}
	_ = json.NewEncoder(w).Encode(s)
}

func manifest(t *testing.T) *functions.Manifest {
	t.Helper()
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	m.Functions = append(m.Functions,
		functions.Function{Name: "test-echo", Kind: functions.HTTP, Timeout: patience},
		functions.Function{Name: "test-slow", Kind: functions.HTTP, Timeout: patience},
		functions.Function{Name: "test-job", Kind: functions.Scheduled, Timeout: patience},
		functions.Function{Name: "test-event", Kind: functions.Event, Timeout: patience},
	)
	return m
}

// output is what the functions' process prints.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) until(t *testing.T, words string) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(o.String(), words) {
		select {
		case <-o.changed:
		case <-deadline:
			t.Fatalf("the functions did not say %q:\n%s", words, o)
		}
	}
}

// host is a host for one test.
type host struct {
	*Host
	issuer *identity.Issuer
	out    *output
}

// newHost makes a host; it is stopped at the end of the test.
func newHost(t *testing.T, o Options) *host {
	t.Helper()
	i, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.segue.test", Audience: "https://api.segue.test"})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{issuer: i, out: &output{changed: make(chan struct{}, 1)}}
	o.Verify, o.Log = i.VerifyServiceToken, h.out
	if o.Manifest == nil {
		o.Manifest = manifest(t)
	}
	h.Host = New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := h.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *host) start(t *testing.T) *host {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Start(ctx); err != nil {
		t.Fatalf("%v\n%s", err, h.out)
	}
	return h
}

// segue is the environment of Segue's own functions, on stores of their own.
func segue(t *testing.T, i *identity.Issuer) map[string]string {
	t.Helper()
	database := emutest.Database(t).DatabaseName()
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Stop(context.WithoutCancel(t.Context())) })
	return map[string]string{
		"SEGUE_PROJECT": strings.Split(database, "/")[1], "SEGUE_SPANNER_DATABASE": database,
		"SEGUE_UPLOADS_BUCKET": "uploads", "SEGUE_AUDIO_BUCKET": "audio", "SEGUE_IMAGES_BUCKET": "images", "SEGUE_IMAGES_URL": "https://img.test",
		"SEGUE_TOKEN_ISSUER": "https://accounts.segue.test", "SEGUE_TOKEN_AUDIENCE": "https://api.segue.test",
		"SEGUE_JWKS_URL": i.URL() + "/.well-known/jwks.json", "SEGUE_KEYSET": keyset, "SEGUE_KEYSET_KEK": kek,
		"SEGUE_CDN_URL": "http://127.0.0.1:1", "SEGUE_CDN_KEY_NAME": "key", "SEGUE_CDN_KEY": base64.URLEncoding.EncodeToString(make([]byte, 16)),
	}
}

type reply struct {
	status int
	body   string
}

func send(t *testing.T, method, url string, body io.Reader, header map[string]string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, string(b)}
}

// echoed is what test-echo, or another that echoes, saw.
func (r reply) echoed(t *testing.T) (s seen) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status != 200 {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	return s
}

// gone says whether no process is left in a group.
func gone(pid int) bool { return syscall.Kill(-pid, 0) == syscall.ESRCH }
