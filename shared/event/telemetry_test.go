package event_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	ce "github.com/cloudevents/sdk-go/v2/event"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

func record(t *testing.T) (*telemetry.Telemetry, *tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	t.Helper()
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tel, err := telemetry.New(resource.Empty(), spans, reader, 1)
	if err != nil {
		t.Fatal(err)
	}
	tel.Install()
	t.Cleanup(func() { _ = tel.Shutdown(context.WithoutCancel(t.Context())) })
	return tel, spans, reader
}

// counts are the points of messaging.process.duration.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if m.Name != "messaging.process.duration" || !ok || m.Unit != "s" {
				continue
			}
			for _, p := range h.DataPoints {
				value := func(k string) string {
					for _, a := range p.Attributes.ToSlice() {
						if string(a.Key) == k {
							return a.Value.String()
						}
					}
					return "-"
				}
				got[fmt.Sprintf("%s %s %s %s", value("faas.name"), value("messaging.destination.name"), value("messaging.destination.subscription.name"), value("error.type"))] += p.Count
			}
		}
	}
	return got
}

// Not parallel: spans and metrics have one exporter a process.
func TestEventsAreCountedAndTraced(t *testing.T) {
	f := start(t)
	tel, spans, reader := record(t)
	sent := telemetry.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Parent: "00f067aa0ba902b7", Sampled: true}
	deliver := func(function, artist string, fail error) {
		t.Helper()
		f.calls.expected.Store(artist, &call{fail: fail})
		data, err := proto.Marshal(changed(artist))
		if err != nil {
			t.Fatal(err)
		}
		e := ce.New()
		e.SetSource("//pubsub.googleapis.com/projects/p/topics/catalog-changed")
		if err := e.SetData(ce.ApplicationJSON, map[string]any{
			"subscription": "projects/p/subscriptions/s",
			"message":      map[string]any{"data": data, "messageId": "1", "attributes": map[string]string{"traceparent": sent.Traceparent()}},
		}); err != nil {
			t.Fatal(err)
		}
		for _, r := range registry.All() {
			if r.Name == function {
				if err := r.CloudEvent(t.Context(), e); (err != nil) != (fail != nil) {
					t.Errorf("%s: %v", artist, err)
				}
			}
		}
	}
	deliver("test-changed", "counted", nil)
	deliver("test-changed", "to be tried anew", errors.New("a word a time: 1234"))
	deliver("test-changed", "to be tried anew", nil)
	deliver("test-changed", "away", fmt.Errorf("look: %w", errs.New(errs.Unavailable, "away")))
	deliver("test-changed", "slow", context.DeadlineExceeded)
	deliver("test-cold", "never", errNotReady)
	if got, want := counts(t, reader), map[string]uint64{
		"test-changed catalog-changed s -": 2, "test-changed catalog-changed s _OTHER": 1, "test-changed catalog-changed s unavailable": 1,
		"test-changed catalog-changed s timeout": 1, "test-cold catalog-changed s _OTHER": 1,
	}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, s := range spans.GetSpans() {
		if s.SpanKind != trace.SpanKindConsumer || s.SpanContext.TraceID().String() != sent.ID || s.Parent.SpanID().String() != sent.Parent {
			t.Errorf("span %s of kind %s below %s", s.Name, s.SpanKind, s.Parent.SpanID())
		}
		if s.Status.Code.String() == "Error" {
			failed++
		}
	}
	if n := len(spans.GetSpans()); n != 6 || failed != 4 {
		t.Errorf("%d spans, of which %d failed; want 6 and 4", n, failed)
	}
}

// What a dead process left is published in the trace that it was written in.
func TestRelayPublishesInTheTraceOfTheEvent(t *testing.T) {
	tel, exporter, _ := record(t)
	w, topics := emutest.Writer(t)
	written := telemetry.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Parent: "00f067aa0ba902b7", Sampled: true}
	relaying := telemetry.Trace{ID: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Parent: "bbbbbbbbbbbbbbbb", Sampled: true}
	gone := *w
	gone.Publisher = nil
	func() {
		defer func() { _ = recover() }() // the process ends between commit and publish
		_ = gone.Write(telemetry.WithTrace(t.Context(), written), adding(newID()))
	}()
	if n, err := w.Relay(telemetry.WithTrace(t.Context(), relaying), later()); err != nil || n != 1 {
		t.Fatalf("the relay published %d: %v", n, err)
	}
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range exporter.GetSpans() {
		if s.Name != "send "+topic {
			continue
		}
		found = true
		carried, _ := telemetry.ParseTraceparent(emutest.Received(t, topics, topic)[0].GetMessage().GetAttributes()["traceparent"])
		if s.SpanContext.TraceID().String() != written.ID || s.Parent.SpanID().String() != written.Parent || carried.Parent != s.SpanContext.SpanID().String() {
			t.Errorf("sent by %+v below %+v, carrying %+v", s.SpanContext, s.Parent, carried)
		}
		if len(s.Links) != 1 || s.Links[0].SpanContext.TraceID().String() != relaying.ID {
			t.Errorf("no link to the relay: %+v", s.Links)
		}
	}
	if !found {
		t.Error("nothing was sent")
	}
}
