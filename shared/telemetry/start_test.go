package telemetry_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/telemetry"
)

// collector is an OTLP collector.
type collector struct {
	url   string
	stuck chan struct{} // if not nil, nothing is answered until it is closed

	mu     sync.Mutex
	calls  int
	spans  []string
	points []string
	who    map[string]string // resource attributes
	tokens map[string]bool
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{who: map[string]string{}, tokens: map[string]bool{}}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if c.stuck != nil {
		<-c.stuck
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.tokens[r.Header.Get("Authorization")] = true
	var traces collecttrace.ExportTraceServiceRequest
	var metrics collectmetrics.ExportMetricsServiceRequest
	switch r.URL.Path {
	case "/token":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "of-the-function", "token_type": "Bearer", "expires_in": 3600}`)
		return
	case "/v1/traces":
		err = proto.Unmarshal(b, &traces)
	case "/v1/metrics":
		err = proto.Unmarshal(b, &metrics)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	for _, r := range traces.GetResourceSpans() {
		for _, a := range r.GetResource().GetAttributes() {
			c.who[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				c.spans = append(c.spans, span.GetName())
			}
		}
	}
	for _, r := range metrics.GetResourceMetrics() {
		for _, s := range r.GetScopeMetrics() {
			for _, m := range s.GetMetrics() {
				c.points = append(c.points, m.GetName())
			}
		}
	}
}

// has says whether both kinds arrived of one request.
func (c *collector) has(t *testing.T, want bool) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	spans, points := strings.Join(c.spans, ", "), strings.Join(c.points, ", ")
	if (spans == "GET /v1/things/{id}") != want || (points == "http.server.request.duration") != want {
		t.Errorf("the collector has spans %q and metrics %q", spans, points)
	}
}

// request is one that a function serves.
func request(ctx context.Context) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/things/a", nil)
	ctx, q := telemetry.Serve(ctx, "test-things", r)
	q.End(ctx, "/v1/things/{id}", http.StatusOK)
}

func start(t *testing.T, env map[string]string) error {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	telemetry.Restart(t)
	return telemetry.Start()
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"exporter": {map[string]string{"SEGUE_OTEL_EXPORTER": "stdout"}, `SEGUE_OTEL_EXPORTER "stdout" is none of none, otlp, gcp`},
		"share":    {map[string]string{"SEGUE_OTEL_SAMPLE": "1.5"}, "SEGUE_OTEL_SAMPLE 1.5 is not between 0 and 1"},
		"NaN":      {map[string]string{"SEGUE_OTEL_SAMPLE": "NaN"}, "SEGUE_OTEL_SAMPLE NaN"},
		"word":     {map[string]string{"SEGUE_OTEL_SAMPLE": "all"}, "Sample"},
		"protocol": {map[string]string{"SEGUE_OTEL_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, `OTEL_EXPORTER_OTLP_PROTOCOL "grpc" is not spoken here`},
		"credentials": {
			map[string]string{"SEGUE_OTEL_EXPORTER": "gcp", "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"},
			"credentials of Google Cloud",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := start(t, c.env); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q in it", err, c.want)
			}
			// What is mended needs no new process.
			if err := start(t, map[string]string{"SEGUE_OTEL_EXPORTER": "none", "SEGUE_OTEL_SAMPLE": "1"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A function whose configuration is wrong serves nothing, as with any other
// variable, and says which.
func TestFunctionsAreNotReady(t *testing.T) {
	const want = "SEGUE_OTEL_EXPORTER"
	if err := start(t, map[string]string{want: "stdout"}); err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"ingest-upload", "ingest-publish", "ops-relay"} {
		if err := function(t, name).Ready(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is ready: %v", name, err)
		}
	}
	rec := httptest.NewRecorder()
	function(t, "ops-relay").HTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	if rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), want) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if err := deliver(t, "ingest-publish", "rendition-ready", &pubsubpb.PubsubMessage{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the event ends with %v", err)
	}
}

func TestNoneExportsNothing(t *testing.T) {
	c := collect(t)
	if err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.url}); err != nil || telemetry.Active() != nil {
		t.Fatalf("%v, active %v", err, telemetry.Active())
	}
	request(t.Context())
	telemetry.AfterEvent(t.Context())
	if c.calls != 0 {
		t.Errorf("the collector was called %d times", c.calls)
	}
}

func TestOTLPReachesACollector(t *testing.T) {
	c := collect(t)
	if err := start(t, map[string]string{"SEGUE_OTEL_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": c.url, "OTEL_SERVICE_NAME": "mine"}); err != nil {
		t.Fatal(err)
	}
	request(t.Context())
	c.has(t, false) // they go in batches
	if err := telemetry.Active().Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.has(t, true)
	if c.who["service.name"] != "mine" || c.who["service.instance.id"] == "" {
		t.Errorf("they come from %v", c.who)
	}
}

func TestGoogleCloudIsReachedWithTheFunctionsCredentials(t *testing.T) {
	c := collect(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "f@p.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": c.url + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	err = start(t, map[string]string{
		"SEGUE_OTEL_EXPORTER": "gcp", "GOOGLE_APPLICATION_CREDENTIALS": file, "SEGUE_PROJECT": "p", "OTEL_EXPORTER_OTLP_ENDPOINT": c.url,
	})
	if err != nil {
		t.Fatal(err)
	}
	request(t.Context())
	if err := telemetry.Active().Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.has(t, true)
	if !c.tokens["Bearer of-the-function"] || c.who["gcp.project_id"] != "p" {
		t.Errorf("tokens %v, from %v", c.tokens, c.who)
	}
	if err := telemetry.Active().Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAfterEventSendsWithinItsTime(t *testing.T) {
	c := collect(t)
	if err := start(t, map[string]string{"SEGUE_OTEL_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": c.url}); err != nil {
		t.Fatal(err)
	}
	request(t.Context())
	telemetry.AfterEvent(t.Context())
	c.has(t, false) // elsewhere than on the platform there is no hurry
	telemetry.Active().Eager()
	gone, cancel := context.WithCancel(t.Context())
	cancel() // the platform's request may be over
	telemetry.AfterEvent(gone)
	c.has(t, true)
	request(t.Context())
	telemetry.AfterEvent(t.Context())
	if len(c.spans) != 2 || len(c.points) != 1 {
		t.Errorf("at once again, %d spans and %d metrics are sent; want 2 and 1", len(c.spans), len(c.points))
	}
	telemetry.Active().MetricsSent(time.Now().Add(-time.Minute))
	telemetry.AfterEvent(t.Context())
	if len(c.points) != 2 {
		t.Errorf("later, %d metrics are sent", len(c.points))
	}
	// A collector that hangs costs an event half a second, and no more.
	c.stuck = make(chan struct{})
	request(t.Context())
	begin := time.Now()
	telemetry.AfterEvent(t.Context())
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("an event waits %s for its telemetry", took)
	}
	close(c.stuck)
	_ = telemetry.Active().Shutdown(t.Context())
}
