package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	"go.opentelemetry.io/contrib/detectors/gcp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/segue-audio/segue/shared/id"
)

// googleEndpoint takes OTLP as it is. Google's own exporters would send to the
// older APIs, in their own form and with tighter limits, and are a second way to
// keep; this one is the very exporter that everybody else uses, with a token.
// https://cloud.google.com/stackdriver/docs/reference/telemetry/overview
const googleEndpoint = "https://telemetry.googleapis.com"

// Open makes the exporters that c asks for. It does not wait for a collector: one
// that is away costs spans, not a start.
func Open(ctx context.Context, c Config) (*Telemetry, error) {
	var (
		traces  []otlptracehttp.Option
		metrics []otlpmetrichttp.Option
	)
	if c.Exporter == GCP {
		client, err := googleClient()
		if err != nil {
			return nil, err
		}
		traces, metrics = append(traces, otlptracehttp.WithHTTPClient(client)), append(metrics, otlpmetrichttp.WithHTTPClient(client))
		// An endpoint in the environment, as of a private one, goes first.
		if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
			if os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
				traces = append(traces, otlptracehttp.WithEndpointURL(googleEndpoint+"/v1/traces"))
			}
			if os.Getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") == "" {
				metrics = append(metrics, otlpmetrichttp.WithEndpointURL(googleEndpoint+"/v1/metrics"))
			}
		}
	}
	spans, err := otlptracehttp.New(ctx, traces...)
	if err != nil {
		return nil, fmt.Errorf("exporter of spans: %w", err)
	}
	points, err := otlpmetrichttp.New(ctx, metrics...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("exporter of metrics: %w", err), spans.Shutdown(ctx))
	}
	return New(describe(ctx, c), spans, sdkmetric.NewPeriodicReader(points), c.Sample)
}

// googleClient sends with the function's own credentials, and makes no spans of
// its own: each export would cause the next.
func googleClient() (*http.Client, error) {
	client, err := httptransport.NewClient(&httptransport.Options{
		DetectOpts:       &credentials.DetectOptions{Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}},
		DisableTelemetry: true,
	})
	if err != nil {
		return nil, fmt.Errorf("credentials of Google Cloud: %w", err)
	}
	return client, nil
}

// detectWithin bounds the questions to the metadata server.
const detectWithin = 2 * time.Second

// describe is who we are. An instance id keeps apart the series of several
// instances. What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say goes first.
func describe(ctx context.Context, c Config) *resource.Resource {
	name := os.Getenv("K_SERVICE")
	if name == "" {
		name = "segue"
	}
	own := []attribute.KeyValue{semconv.ServiceName(name), semconv.ServiceInstanceID(id.Random())}
	if v := os.Getenv("K_REVISION"); v != "" {
		own = append(own, semconv.ServiceVersion(v))
	}
	options := []resource.Option{resource.WithTelemetrySDK()}
	if c.Exporter == GCP {
		// Google's endpoint files what it gets by this.
		if p := os.Getenv("SEGUE_PROJECT"); p != "" {
			own = append(own, attribute.String("gcp.project_id", p))
		}
		options = append(options, resource.WithDetectors(gcp.NewDetector()))
	}
	ctx, cancel := context.WithTimeout(ctx, detectWithin)
	defer cancel()
	r, err := resource.New(ctx, append(options, resource.WithAttributes(own...), resource.WithFromEnv())...)
	if err != nil && !errors.Is(err, resource.ErrSchemaURLConflict) {
		// Some attributes are missing; better than no telemetry.
		slog.WarnContext(ctx, "telemetry does not know all about itself", "error", err)
	}
	return r
}
