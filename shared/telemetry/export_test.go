package telemetry

import (
	"testing"
	"time"
)

// What tests of the other package see: which could not be in this one, since
// emutest imports it.

// Restart makes the next Start read the environment anew.
func Restart(t *testing.T) {
	t.Helper()
	started.Store(false)
	t.Cleanup(func() {
		started.Store(false)
		active.Store(nil)
	})
}

// Active is what is installed.
func Active() *Telemetry { return active.Load() }

// Eager makes t flush after each event, as on the platform.
func (t *Telemetry) Eager() { t.eager = true }

// MetricsSent sets when metrics went out last.
func (t *Telemetry) MetricsSent(at time.Time) { t.metricsSent.Store(at.UnixNano()) }
