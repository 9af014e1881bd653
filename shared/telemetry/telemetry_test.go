package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

func TestParseTraceparent(t *testing.T) {
	want := Trace{ID: id, Parent: span}
	for s, ok := range map[string]bool{
		"00-" + id + "-" + span + "-01":                       true,
		"00-" + id + "-" + span + "-00":                       true,
		"cc-" + id + "-" + span + "-01-future":                true,
		"ff-" + id + "-" + span + "-01":                       false,
		"00-" + zeroTrace + "-" + span + "-01":                false,
		"00-" + id + "-" + zeroSpan + "-01":                   false,
		"00-" + strings.ToUpper(id) + "-" + span + "-01":      false,
		"00-" + id + "-" + span:                               false,
		"":                                                    false,
		"00-" + id + "-" + span + "-01\nX-Injected: whatever": false,
	} {
		got, gotOK := ParseTraceparent(s)
		if gotOK != ok || (ok && got != want) {
			t.Errorf("ParseTraceparent(%q) = %v, %v", s, got, gotOK)
		}
	}
	if back, ok := ParseTraceparent(want.Traceparent()); !ok || back != want {
		t.Errorf("round trip = %v, %v", back, ok)
	}
}

func TestFromRequest(t *testing.T) {
	h := http.Header{}
	if a, b := FromRequest(h), FromRequest(h); a.ID == b.ID {
		t.Error("two requests without a header share a trace")
	}
	h.Set("X-Cloud-Trace-Context", id+"/123;o=1")
	if got := FromRequest(h); got.ID != id {
		t.Errorf("trace = %v", got)
	}
	h.Set("Traceparent", "00-"+strings.Repeat("a", 32)+"-"+span+"-01")
	if got := FromRequest(h); got.ID != strings.Repeat("a", 32) {
		t.Errorf("the standard header does not win: %v", got)
	}
}

func TestLogLinesNameSeverityAndTrace(t *testing.T) {
	var b bytes.Buffer
	ctx := WithTrace(t.Context(), Trace{ID: id, Parent: span})
	NewLogger(&b, "p", slog.LevelInfo).With("k", "v").WarnContext(ctx, "hello")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"severity": "WARNING", "message": "hello", "k": "v", "logging.googleapis.com/trace": "projects/p/traces/" + id} {
		if line[k] != want {
			t.Errorf("%s = %v, want %s", k, line[k], want)
		}
	}
}
