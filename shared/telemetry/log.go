package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/trace"
)

// NewLogger writes JSON lines in the form that Cloud Logging understands:
// severity, message, and the trace of the context they were logged with.
// project is the Google Cloud project; without one the bare trace id is given.
func NewLogger(w io.Writer, project string, level slog.Leveler) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cloudNames})
	return slog.New(traced{Handler: h, project: project})
}

// https://cloud.google.com/logging/docs/structured-logging names the keys.
func cloudNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.LevelKey:
		a.Key = "severity"
		if a.Value.Any() == slog.LevelWarn {
			a.Value = slog.StringValue("WARNING")
		}
	case slog.MessageKey:
		a.Key = "message"
	}
	return a
}

type traced struct {
	slog.Handler
	project string
}

// Cloud Logging shows a line with its span by these three.
// https://cloud.google.com/logging/docs/structured-logging
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		id := c.TraceID().String()
		if h.project != "" {
			id = "projects/" + h.project + "/traces/" + id
		}
		r.AddAttrs(
			slog.String("logging.googleapis.com/trace", id),
			slog.String("logging.googleapis.com/spanId", c.SpanID().String()),
			slog.Bool("logging.googleapis.com/trace_sampled", c.IsSampled()),
		)
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{Handler: h.Handler.WithAttrs(attrs), project: h.project}
}

func (h traced) WithGroup(name string) slog.Handler {
	return traced{Handler: h.Handler.WithGroup(name), project: h.project}
}

// SetDefault makes slog's default logger one of ours; SEGUE_LOG_LEVEL is its
// level.
func SetDefault(w io.Writer, project string) {
	var level slog.Level // info
	_ = level.UnmarshalText([]byte(os.Getenv("SEGUE_LOG_LEVEL")))
	slog.SetDefault(NewLogger(w, project, level))
}
