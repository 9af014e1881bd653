// Package telemetry carries the trace of a request through a function and into
// its log lines and events. Spans and metrics are not here yet: what exists is
// the W3C trace context, so that one id leads from an upload to its last event.
package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
)

// Trace is a W3C trace context (https://www.w3.org/TR/trace-context/).
type Trace struct {
	ID     string // 32 hex digits
	Parent string // 16 hex digits: the span that called us
}

var (
	traceparentForm  = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)
	cloudContextForm = regexp.MustCompile(`^([0-9a-f]{32})/`)
)

const (
	zeroTrace = "00000000000000000000000000000000"
	zeroSpan  = "0000000000000000"
)

// NewTrace starts a trace.
func NewTrace() Trace {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return Trace{ID: hex.EncodeToString(b[:16]), Parent: hex.EncodeToString(b[16:])}
}

// ParseTraceparent reads a traceparent header; ok is false for what is not one.
func ParseTraceparent(s string) (t Trace, ok bool) {
	m := traceparentForm.FindStringSubmatch(s)
	if m == nil || s[:2] == "ff" || m[1] == zeroTrace || m[2] == zeroSpan {
		return Trace{}, false
	}
	return Trace{ID: m[1], Parent: m[2]}, true
}

// Traceparent is the header or attribute that hands the trace on.
func (t Trace) Traceparent() string { return "00-" + t.ID + "-" + t.Parent + "-01" }

// FromRequest takes the trace of a request, from the standard header or from
// Google's load balancer's, or starts one.
func FromRequest(h http.Header) Trace {
	if t, ok := ParseTraceparent(h.Get("Traceparent")); ok {
		return t
	}
	t := NewTrace()
	if m := cloudContextForm.FindStringSubmatch(h.Get("X-Cloud-Trace-Context")); m != nil {
		t.ID = m[1]
	}
	return t
}

type traceKey struct{}

// WithTrace puts the trace into the context.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf is the context's trace, or a new one where it has none.
func TraceOf(ctx context.Context) Trace {
	if t, ok := ctx.Value(traceKey{}).(Trace); ok {
		return t
	}
	return NewTrace()
}
