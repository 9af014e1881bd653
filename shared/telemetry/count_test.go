package telemetry_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/segue-audio/segue/shared/telemetry"
)

// Not parallel: what is counted goes to the process's one telemetry.
func TestCount(t *testing.T) {
	telemetry.Count(t.Context(), "segue.test.decisions", "source", "nobody listens")
	_, _, points := record(t)
	for _, source := range []string{"redis", "claims", "redis"} {
		telemetry.Count(t.Context(), "segue.test.decisions", "source", source)
	}
	var all metricdata.ResourceMetrics
	if err := points.Collect(context.WithoutCancel(t.Context()), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "segue.test.decisions" {
				for _, p := range sum.DataPoints {
					source, _ := p.Attributes.Value("source")
					got[source.AsString()] = p.Value
				}
			}
		}
	}
	if len(got) != 2 || got["redis"] != 2 || got["claims"] != 1 {
		t.Errorf("counted %v", got)
	}
}
