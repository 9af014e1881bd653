package telemetry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names this package's spans and metrics among those of the libraries.
const scope = "github.com/segue-audio/segue/shared/telemetry"

// Telemetry is a pair of providers and our instruments on them.
type Telemetry struct {
	traces  *sdk.TracerProvider
	metrics *sdkmetric.MeterProvider
	tracer  trace.Tracer

	requests  metric.Float64Histogram
	processed metric.Float64Histogram
	counters  sync.Map // metric.Int64Counter by name

	eager       bool // see AfterEvent
	metricsSent atomic.Int64
}

// Durations in seconds: OpenTelemetry's buckets for HTTP, and for events longer
// ones up to an event function's limit.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	processBuckets = append(requestBuckets[:len(requestBuckets):len(requestBuckets)], 30, 60, 120, 300, 540)
)

// New sends spans to the exporter, in batches, and metrics to the reader.
func New(r *resource.Resource, spans sdk.SpanExporter, metrics sdkmetric.Reader, sample float64) (*Telemetry, error) {
	t := &Telemetry{
		traces:  sdk.NewTracerProvider(sdk.WithResource(r), sdk.WithBatcher(spans), sdk.WithSampler(newSampler(sample))),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithResource(r), sdkmetric.WithReader(metrics)),
		eager:   onPlatform(),
	}
	t.tracer = t.traces.Tracer(scope)
	meter := t.metrics.Meter(scope)
	var errs [2]error
	// Rate and errors are in the histograms: their count, and that of the points
	// with an error.type.
	t.requests, errs[0] = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."), metric.WithExplicitBucketBoundaries(requestBuckets...))
	t.processed, errs[1] = meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of processing operation."), metric.WithExplicitBucketBoundaries(processBuckets...))
	return t, errors.Join(errs[:]...)
}

// Flush exports what is buffered.
func (t *Telemetry) Flush(ctx context.Context) error {
	t.metricsSent.Store(time.Now().UnixNano())
	return errors.Join(t.traces.ForceFlush(ctx), t.metrics.ForceFlush(ctx))
}

// Shutdown exports what is buffered, and ends the batches.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	active.CompareAndSwap(t, nil)
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}

const (
	// eventFlush is how much longer an event may take for its telemetry.
	eventFlush = 500 * time.Millisecond
	// metricsEvery: Cloud Monitoring refuses points of a series that follow each
	// other within 5 s.
	metricsEvery = 10 * time.Second
)

// AfterEvent exports what an event left, before its function returns. The batch
// processor would do so within seconds, but on the platform there are none: an
// instance without a request has no CPU, and may be ended without ever having it
// again. An event waits for nobody, so half a second is cheap; a request's
// answer is not held up, since at many requests at once the next one's CPU sends
// the last one's spans, and what the very last left is flushed at SIGTERM.
func AfterEvent(ctx context.Context) {
	t := active.Load()
	if t == nil || !t.eager {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventFlush)
	defer cancel()
	// Their errors are logged by whoever meets them; an event is not tried again
	// for them.
	_ = t.traces.ForceFlush(ctx)
	now, last := time.Now().UnixNano(), t.metricsSent.Load()
	if now-last > int64(metricsEvery) && t.metricsSent.CompareAndSwap(last, now) {
		_ = t.metrics.ForceFlush(ctx)
	}
}
