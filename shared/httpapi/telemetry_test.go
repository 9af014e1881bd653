package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/segue-audio/segue/shared/telemetry"
)

// counts are the points of http.server.request.duration: their labels and how
// many requests each has.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if m.Name != "http.server.request.duration" || !ok || m.Unit != "s" {
				continue
			}
			for _, p := range h.DataPoints {
				if p.Sum < 0 || p.Sum > 60 {
					t.Errorf("a duration of %v s", p.Sum)
				}
				value := func(k string) string {
					for _, a := range p.Attributes.ToSlice() {
						if string(a.Key) == k {
							return a.Value.String()
						}
					}
					return "-"
				}
				got[fmt.Sprintf("%s %s %s %s", value("http.request.method"), value("http.route"), value("http.response.status_code"), value("error.type"))] += p.Count
				if value("faas.name") != "test-things" || value("url.scheme") != "http" || p.Attributes.Len() > 6 {
					t.Errorf("labels are %v", p.Attributes.Encoded(nil))
				}
			}
		}
	}
	return got
}

// Not parallel: spans and metrics have one exporter a process.
func TestRequestsAreCountedAndTraced(t *testing.T) {
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tel, err := telemetry.New(resource.Empty(), spans, reader, 1)
	if err != nil {
		t.Fatal(err)
	}
	tel.Install()
	t.Cleanup(func() { _ = tel.Shutdown(context.WithoutCancel(t.Context())) })
	w := newWorld(t)
	const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w.do(t, "GET", "/v1/things/a", "", header("Traceparent", caller))
	w.do(t, "GET", "/v1/things/b/", "")
	w.do(t, "GET", "/v1/things/c?limit=x", "")
	w.do(t, "GET", "/v1/fail/plain", "")
	w.do(t, "GET", "/v1/fail/panic", "")
	w.do(t, "GET", "/nowhere", "")
	w.do(t, "BREW", "/v1/things/a", "")
	send(t, "GET", w.url+"/v1/things/a", "")
	// A job has no routes; that of the host before it is none of its own.
	host := http.NewServeMux()
	host.Handle("/test-host/", middleware("test-things", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) })))
	host.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/test-host/x", nil))
	want := map[string]uint64{
		"GET /v1/things/{id} 200 -": 2, "GET /v1/things/{id} 400 -": 1, "GET /v1/things/{id} 401 -": 1,
		"GET /v1/fail/{id} 500 500": 2, "GET - 404 -": 1, "POST - 201 -": 1, "_OTHER /v1/things/{id} 405 -": 1,
	}
	if got := counts(t, reader); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, s := range spans.GetSpans() {
		if strings.HasPrefix(s.Name, "redis.") {
			continue // below a request's: the rate limit's
		}
		names[s.Name+" "+s.Status.Code.String()]++
		if s.SpanKind != trace.SpanKindServer {
			t.Errorf("%s is of kind %s", s.Name, s.SpanKind)
		}
		if s.SpanContext.TraceID().String() == caller[3:35] {
			if s.Parent.SpanID().String() != caller[36:52] || !s.Parent.IsRemote() {
				t.Errorf("the caller's span is not the parent: %+v", s.Parent)
			}
			logLine(t, s.SpanContext)
		}
	}
	if want := map[string]int{
		"GET /v1/things/{id} Unset": 4, "GET /v1/fail/{id} Error": 2, "GET Unset": 1, "POST Unset": 1, "_OTHER /v1/things/{id} Unset": 1,
	}; !maps.Equal(names, want) {
		t.Errorf("spans are %v, want %v", names, want)
	}
}

// logLine looks for the line of a request, which names its span.
func logLine(t *testing.T, c trace.SpanContext) {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal([]byte(logged.line(c.SpanID().String())), &line); err != nil {
		t.Fatalf("no line names span %s: %v", c.SpanID(), err)
	}
	if line["logging.googleapis.com/trace"] != c.TraceID().String() || line["logging.googleapis.com/trace_sampled"] != true {
		t.Errorf("the line is %v", line)
	}
}
