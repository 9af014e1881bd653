package cloudrun

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// What a process has not exported when it is told to end, it exports then.
func TestStopFlushesTelemetry(t *testing.T) {
	t.Parallel()
	var traces, metrics atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/traces":
			traces.Add(1)
		case "/v1/metrics":
			metrics.Add(1)
		}
	}))
	t.Cleanup(collector.Close)
	h := newHost(t, Options{Target: "catalog-browse"})
	h.options.Env = segue(t, h.issuer)
	h.options.Env["SEGUE_OTEL_EXPORTER"] = "otlp"
	h.options.Env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.URL
	h.options.Env["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
	h.start(t)
	if got := send(t, "GET", h.URL("catalog-browse")+"/v1/tracks/x", nil, nil); got.status != 401 {
		t.Fatalf("%+v", got)
	}
	if traces.Load() != 0 {
		t.Fatal("spans went out before the end: the test shows nothing")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if traces.Load() == 0 || metrics.Load() == 0 {
		t.Errorf("at the end %d exports of spans and %d of metrics arrived\n%s", traces.Load(), metrics.Load(), h.out)
	}
}

func TestStartRefusesAnExporterThatIsNone(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Target: "test-echo", Env: map[string]string{"SEGUE_OTEL_EXPORTER": "stdout"}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Start(ctx); err == nil || !strings.Contains(h.out.String(), `SEGUE_OTEL_EXPORTER "stdout" is none of none, otlp, gcp`) {
		t.Errorf("%v\n%s", err, h.out)
	}
}
