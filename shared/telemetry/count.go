package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Count adds one to the counter of that name, in the series of the attribute's
// value: of few values, each of them known beforehand.
func Count(ctx context.Context, name, attr, value string) {
	t := active.Load()
	if t == nil {
		return
	}
	t.count(ctx, name, attr, value)
}

func (t *Telemetry) count(ctx context.Context, name, attr, value string) {
	c, ok := t.counters.Load(name)
	if !ok {
		made, err := t.metrics.Meter(scope).Int64Counter(name)
		if err != nil {
			slog.ErrorContext(ctx, "counter", "name", name, "error", err)
			return
		}
		c, _ = t.counters.LoadOrStore(name, made)
	}
	c.(metric.Int64Counter).Add(ctx, 1, metric.WithAttributes(attribute.String(attr, value)))
}
