package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Request is an HTTP request under way; nil where nothing is exported.
type Request struct {
	telemetry *Telemetry
	span      trace.Span
	function  string
	method    string
	scheme    string
	start     time.Time
}

// Serve begins the server span of a function's request. The context that it
// returns carries a trace in any case.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
func Serve(ctx context.Context, function string, r *http.Request) (context.Context, *Request) {
	from := caller(r.Header)
	t := active.Load()
	if t == nil {
		if !from.IsValid() {
			from = random()
		}
		return trace.ContextWithRemoteSpanContext(ctx, from), nil
	}
	if from.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, from)
	}
	q := &Request{telemetry: t, function: function, method: method(r.Method), scheme: "http", start: time.Now()}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		q.scheme = "https"
	}
	ctx, q.span = t.tracer.Start(ctx, q.method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(q.start),
		trace.WithAttributes(q.labels(semconv.URLPath(r.URL.Path))...))
	return ctx, q
}

// End records how a request ended. route is its template, such as
// /v1/tracks/{id}, and "" for what has none: an unknown path must not become a
// name of its own.
func (q *Request) End(ctx context.Context, route string, status int) {
	if q == nil {
		return
	}
	name, more := q.method, []attribute.KeyValue{semconv.HTTPResponseStatusCode(status)}
	if route != "" {
		name += " " + route
		more = append(more, semconv.HTTPRoute(route))
	}
	if status >= http.StatusInternalServerError {
		more = append(more, semconv.ErrorTypeKey.String(strconv.Itoa(status)))
		q.span.SetStatus(codes.Error, "")
	}
	q.telemetry.requests.Record(ctx, time.Since(q.start).Seconds(), metric.WithAttributes(q.labels(more...)...))
	q.span.SetName(name)
	q.span.SetAttributes(more...)
	q.span.End()
}

// labels have few values, whatever clients send: metrics carry them.
func (q *Request) labels(more ...attribute.KeyValue) []attribute.KeyValue {
	return append(more, semconv.FaaSName(q.function), semconv.HTTPRequestMethodKey.String(q.method), semconv.URLScheme(q.scheme))
}

func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}
