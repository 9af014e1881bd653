package telemetry_test

import (
	"context"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/segue-audio/segue/shared/telemetry"
)

// Not parallel: spans have one exporter a process.
func TestTheEdgeDecidesAndTheRestFollows(t *testing.T) {
	caller := telemetry.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Parent: "00f067aa0ba902b7"}
	sampled := caller
	sampled.Sampled = true
	event := func(from string) func(context.Context) {
		return func(ctx context.Context) {
			_, end := telemetry.Process(ctx, telemetry.Delivery{Function: "f", Trace: from})
			end(nil)
		}
	}
	for name, c := range map[string]struct {
		sample float64
		work   func(context.Context)
		want   int
	}{
		"a request":                  {1, request, 1},
		"a request of no share":      {0, request, 0},
		"a caller who wants it":      {0, func(ctx context.Context) { request(telemetry.WithTrace(ctx, sampled)) }, 0},
		"a caller who does not":      {1, func(ctx context.Context) { request(telemetry.WithTrace(ctx, caller)) }, 1},
		"an event that begins":       {1, event(""), 1},
		"of no share":                {0, event(""), 0},
		"an event of a recorded":     {0, event(sampled.Traceparent()), 1},
		"an event of one that isn't": {1, event(caller.Traceparent()), 0},
		"work of nobody": {1, func(ctx context.Context) {
			_, end := telemetry.Span(ctx, "session")
			end(nil)
		}, 0},
	} {
		spans := tracetest.NewInMemoryExporter()
		tel, err := telemetry.New(resource.Empty(), spans, sdkmetric.NewManualReader(), c.sample)
		if err != nil {
			t.Fatal(err)
		}
		tel.Install()
		c.work(t.Context())
		if err := tel.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if got := len(spans.GetSpans()); got != c.want {
			t.Errorf("%s: %d spans, want %d", name, got, c.want)
		}
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
