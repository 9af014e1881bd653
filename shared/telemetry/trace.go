// Package telemetry says what a function does: spans and metrics by
// OpenTelemetry, and log lines that name the trace they belong to. One trace
// leads from an upload's request through storage, Pub/Sub and each function to
// the track that can be played. Which exporter takes it all is configuration;
// with none, what remains is the trace's id, in logs and events.
package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace is a W3C trace context (https://www.w3.org/TR/trace-context/) in text:
// the form in which it is stored and sent.
type Trace struct {
	ID      string // 32 hex digits
	Parent  string // 16 hex digits: the span that called us
	Sampled bool   // whether the caller records its spans
}

// NewTrace names a trace of which nothing is recorded.
func NewTrace() Trace { return traceOf(random()) }

// random is a trace context that no span stands for, and so is not sampled.
func random() trace.SpanContext {
	var c trace.SpanContextConfig
	_, _ = rand.Read(c.TraceID[:]) // never fails
	_, _ = rand.Read(c.SpanID[:])
	return trace.NewSpanContext(c)
}

func traceOf(c trace.SpanContext) Trace {
	return Trace{ID: c.TraceID().String(), Parent: c.SpanID().String(), Sampled: c.IsSampled()}
}

// header is the one header of a trace context that we take and give. tracestate
// is for vendors, and the outbox does not keep it.
type header string

func (h header) Get(key string) string {
	if key == "traceparent" {
		return string(h)
	}
	return ""
}

func (h header) Keys() []string { return []string{"traceparent"} }
func (h *header) Set(k, v string) {
	if k == "traceparent" {
		*h = header(v)
	}
}

var w3c propagation.TraceContext

func parse(traceparent string) trace.SpanContext {
	h := header(traceparent)
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), &h))
}

// ParseTraceparent reads a traceparent header; ok is false for what is not one.
func ParseTraceparent(s string) (t Trace, ok bool) {
	c := parse(s)
	if !c.IsValid() {
		return Trace{}, false
	}
	return traceOf(c), true
}

// Traceparent is the header or attribute that hands the trace on.
func (t Trace) Traceparent() string {
	flags := "-00"
	if t.Sampled {
		flags = "-01"
	}
	return "00-" + t.ID + "-" + t.Parent + flags
}

// FromRequest takes the trace of a request, from the standard header or from
// Google's load balancer's, or names one.
func FromRequest(h http.Header) Trace {
	c := caller(h)
	if !c.IsValid() {
		c = random()
	}
	return traceOf(c)
}

// caller is the span that a request comes from; invalid where it names none.
func caller(h http.Header) trace.SpanContext {
	if c := parse(h.Get("Traceparent")); c.IsValid() {
		return c
	}
	return cloudContext(h.Get("X-Cloud-Trace-Context"))
}

// cloudContext reads TRACE/SPAN;o=OPTIONS, the span in decimal.
// https://cloud.google.com/trace/docs/trace-context#legacy-http-header
func cloudContext(s string) trace.SpanContext {
	id, rest, ok := strings.Cut(s, "/")
	traceID, err := trace.TraceIDFromHex(id)
	if !ok || err != nil {
		return trace.SpanContext{}
	}
	number, options, _ := strings.Cut(rest, ";")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n == 0 {
		return trace.SpanContext{}
	}
	c := trace.SpanContextConfig{TraceID: traceID, Remote: true}
	binary.BigEndian.PutUint64(c.SpanID[:], n)
	if options == "o=1" {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c)
}

// WithTrace puts the trace into the context, as the caller's; what is no trace
// leaves the context as it is.
func WithTrace(ctx context.Context, t Trace) context.Context {
	c := parse(t.Traceparent())
	if !c.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, c)
}

// Traceparent is what hands on the context's trace; "" where it has none.
func Traceparent(ctx context.Context) string {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return ""
	}
	return traceOf(c).Traceparent()
}

// TraceOf is the context's trace, or a new one where it has none.
func TraceOf(ctx context.Context) Trace {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		c = random()
	}
	return traceOf(c)
}
