package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/drain"
)

// active is nil while nothing is exported: then every function of this package
// returns at once.
var active atomic.Pointer[Telemetry]

var (
	starting sync.Mutex
	started  atomic.Bool
)

// Start reads the configuration and begins to export, once a process. The first
// request or event calls it, since a deployed function has no main of ours. Its
// error is one of configuration, and is not kept.
func Start() error {
	if started.Load() {
		return nil
	}
	starting.Lock()
	defer starting.Unlock()
	if started.Load() {
		return nil
	}
	ctx := context.Background()
	c, err := config.Load[Config](ctx)
	if err != nil {
		return err
	}
	if onPlatform() {
		SetDefault(os.Stderr, os.Getenv("SEGUE_PROJECT"))
	}
	if c.Exporter != None {
		t, err := Open(ctx, c)
		if err != nil {
			return fmt.Errorf("telemetry to %s: %w", c.Exporter, err)
		}
		t.Install()
	}
	started.Store(true)
	return nil
}

// onPlatform says whether this is Cloud Run, where an idle instance gets no CPU.
func onPlatform() bool { return os.Getenv("K_SERVICE") != "" }

// Install makes t what this process and the client libraries in it report to,
// and has it flushed before the process ends.
func (t *Telemetry) Install() {
	otel.SetTracerProvider(t.traces)
	otel.SetMeterProvider(t.metrics)
	otel.SetTextMapPropagator(w3c)
	// A collector that is away is worth a line, and never a failed request.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if !errors.Is(err, context.Canceled) {
			slog.Warn("telemetry is not exported", "error", err)
		}
	}))
	active.Store(t)
	drain.AtEnd(func(ctx context.Context) { _ = t.Flush(ctx) })
}
