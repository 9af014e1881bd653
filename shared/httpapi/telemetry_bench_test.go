package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/segue-audio/segue/shared/telemetry"
)

// discard is an exporter to nowhere.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                        { return nil }

// BenchmarkMiddleware says what telemetry costs a request: with none it must be
// near what parsing the caller's trace costs.
func BenchmarkMiddleware(b *testing.B) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})))
	b.Cleanup(func() { slog.SetDefault(before) })
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := middleware("test-things", mux)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/things/a", nil)
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	serve := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	b.Run("none", serve)
	for name, share := range map[string]float64{"otlp": 1, "otlp-unsampled": 0} {
		b.Run(name, func(b *testing.B) {
			tel, err := telemetry.New(resource.Empty(), discard{}, sdkmetric.NewManualReader(), share)
			if err != nil {
				b.Fatal(err)
			}
			tel.Install()
			b.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
			serve(b)
		})
	}
}
