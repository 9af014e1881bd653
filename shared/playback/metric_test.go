package playback

import (
	"context"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/telemetry"
)

// Not parallel: spans and metrics have one exporter a process. What decided is
// counted: Redis, or the claims, for want of a change or of Redis.
func TestWhatDecidedIsCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	tel, err := telemetry.New(resource.Empty(), tracetest.NewInMemoryExporter(), reader, 1)
	if err != nil {
		t.Fatal(err)
	}
	tel.Install()
	t.Cleanup(func() { _ = tel.Shutdown(context.WithoutCancel(t.Context())) })
	a, lost := &Access{Redis: emutest.Redis(t), Now: time.Now}, &Access{Redis: noRedis(t), Now: time.Now}
	account := id.Random()
	if err := a.SetEntitlement(t.Context(), account, Entitlement{Product: Premium, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	broken := id.Random()
	if err := a.Redis.Set(t.Context(), entitlementKey(broken), "?", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	ask(t, a, Question{Account: account, Track: account})
	ask(t, a, Question{Account: id.Random(), Track: account})
	ask(t, a, Question{Account: broken, Track: account})
	ask(t, lost, Question{Account: account, Track: account})
	ask(t, lost, Question{Account: account, Track: account})
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "segue.playback.entitlements" {
				for _, p := range sum.DataPoints {
					source, _ := p.Attributes.Value("source")
					got[source.AsString()] = p.Value
				}
			}
		}
	}
	if got[fromRedis] != 1 || got[fromClaims] != 1 || got[notUnderstood] != 1 || got[withoutRedis] != 2 {
		t.Errorf("counted %v", got)
	}
}
