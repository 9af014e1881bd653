package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const (
	traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	zeroTrace       = "00000000000000000000000000000000"
	zeroSpan        = "0000000000000000"
)

func TestParseTraceparent(t *testing.T) {
	for s, ok := range map[string]bool{
		"00-" + traceID + "-" + spanID + "-01":                       true,
		"00-" + traceID + "-" + spanID + "-00":                       true,
		"cc-" + traceID + "-" + spanID + "-01-future":                true,
		"ff-" + traceID + "-" + spanID + "-01":                       false,
		"00-" + zeroTrace + "-" + spanID + "-01":                     false,
		"00-" + traceID + "-" + zeroSpan + "-01":                     false,
		"00-" + strings.ToUpper(traceID) + "-" + spanID + "-01":      false,
		"00-" + traceID + "-" + spanID:                               false,
		"":                                                           false,
		"00-" + traceID + "-" + spanID + "-01\nX-Injected: whatever": false,
	} {
		want := Trace{ID: traceID, Parent: spanID, Sampled: !strings.HasSuffix(s, "-00")}
		got, gotOK := ParseTraceparent(s)
		if gotOK != ok || (ok && got != want) {
			t.Errorf("ParseTraceparent(%q) = %v, %v", s, got, gotOK)
		}
		if back, backOK := ParseTraceparent(got.Traceparent()); ok && (!backOK || back != want) {
			t.Errorf("round trip of %q = %v, %v", s, back, backOK)
		}
	}
}

func TestFromRequest(t *testing.T) {
	h := http.Header{}
	if a, b := FromRequest(h), FromRequest(h); a.ID == b.ID {
		t.Error("two requests without a header share a trace")
	}
	for context, want := range map[string]Trace{
		traceID + "/67667974448284343;o=1": {ID: traceID, Parent: spanID, Sampled: true},
		traceID + "/67667974448284343;o=0": {ID: traceID, Parent: spanID},
		traceID + "/67667974448284343":     {ID: traceID, Parent: spanID},
	} {
		h.Set("X-Cloud-Trace-Context", context)
		if got := FromRequest(h); got != want {
			t.Errorf("trace of %s = %v", context, got)
		}
	}
	for _, context := range []string{traceID, traceID + "/", traceID + "/0", traceID + "/x;o=1", "short/1", zeroTrace + "/1"} {
		h.Set("X-Cloud-Trace-Context", context)
		if got := FromRequest(h); got.ID == traceID || got.ID == zeroTrace {
			t.Errorf("trace of %s = %v", context, got)
		}
	}
	h.Set("Traceparent", "00-"+strings.Repeat("a", 32)+"-"+spanID+"-01")
	if got := FromRequest(h); got.ID != strings.Repeat("a", 32) {
		t.Errorf("the standard header does not win: %v", got)
	}
}

func TestLogLinesNameSeverityAndTrace(t *testing.T) {
	for _, sampled := range []bool{true, false} {
		var b bytes.Buffer
		ctx := WithTrace(t.Context(), Trace{ID: traceID, Parent: spanID, Sampled: sampled})
		NewLogger(&b, "p", slog.LevelInfo).With("k", "v").WarnContext(ctx, "hello")
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		for k, want := range map[string]any{
			"severity": "WARNING", "message": "hello", "k": "v", "logging.googleapis.com/trace": "projects/p/traces/" + traceID,
			"logging.googleapis.com/spanId": spanID, "logging.googleapis.com/trace_sampled": sampled,
		} {
			if line[k] != want {
				t.Errorf("%s = %v, want %v", k, line[k], want)
			}
		}
	}
	var b bytes.Buffer
	NewLogger(&b, "p", slog.LevelInfo).InfoContext(t.Context(), "hello")
	if strings.Contains(b.String(), "googleapis") {
		t.Errorf("a line of no trace names one: %s", &b)
	}
}
