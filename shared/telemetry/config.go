package telemetry

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The exporters.
const (
	None = "none" // nothing leaves the process
	OTLP = "otlp" // OTLP over HTTP, to where OTEL_EXPORTER_OTLP_ENDPOINT says
	GCP  = "gcp"  // Google Cloud's own OTLP endpoint, with the function's credentials
)

// Config is the part of their configuration that all functions share. The
// exporters read OpenTelemetry's standard variables (OTEL_EXPORTER_OTLP_*,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*, OTEL_METRIC_EXPORT_INTERVAL) too.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
type Config struct {
	Exporter string `env:"SEGUE_OTEL_EXPORTER, default=none"`
	// Sample is the share of requests whose spans are recorded, 0 to 1. Metrics
	// count all of them.
	Sample float64 `env:"SEGUE_OTEL_SAMPLE, default=1"`
}

// Validate says everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if known := []string{None, OTLP, GCP}; !slices.Contains(known, c.Exporter) {
		errs = append(errs, fmt.Errorf("SEGUE_OTEL_EXPORTER %q is none of %s", c.Exporter, strings.Join(known, ", ")))
	}
	if !(c.Sample >= 0 && c.Sample <= 1) { // NaN is neither
		errs = append(errs, fmt.Errorf("SEGUE_OTEL_SAMPLE %v is not between 0 and 1", c.Sample))
	}
	if c.Exporter != None {
		for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"} {
			if v := os.Getenv(name); v != "" && v != "http/protobuf" {
				errs = append(errs, fmt.Errorf("%s %q is not spoken here: http/protobuf is", name, v))
			}
		}
	}
	return errors.Join(errs...)
}
