package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/errs"
)

// Delivery is a Pub/Sub message that a function is given.
type Delivery struct {
	Function     string
	Topic        string
	Subscription string
	MessageID    string
	Trace        string // traceparent of whoever published it
}

func (d Delivery) labels(more ...attribute.KeyValue) []attribute.KeyValue {
	more = append(more, semconv.FaaSName(d.Function), semconv.MessagingSystemGCPPubSub, semconv.MessagingOperationName("process"))
	if d.Topic != "" {
		more = append(more, semconv.MessagingDestinationName(d.Topic))
	}
	if d.Subscription != "" {
		more = append(more, semconv.MessagingDestinationSubscriptionName(d.Subscription))
	}
	return more
}

// Process begins the consumer span of a delivery, below its publisher's, and
// returns what ends it. An error means that it will be delivered again.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
func Process(ctx context.Context, d Delivery) (context.Context, func(error)) {
	from := parse(d.Trace)
	t := active.Load()
	if t == nil {
		if !from.IsValid() {
			from = random()
		}
		return trace.ContextWithRemoteSpanContext(ctx, from), func(error) {}
	}
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(d.labels(semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(d.MessageID))...),
	}
	if from.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, from)
	} else {
		options = append(options, trace.WithNewRoot())
	}
	start := time.Now()
	ctx, span := t.tracer.Start(ctx, "process "+d.Function, options...)
	return ctx, func(err error) {
		var more []attribute.KeyValue
		if err != nil {
			more = append(more, semconv.ErrorTypeKey.String(errorType(err)))
			span.SetStatus(codes.Error, err.Error())
			span.SetAttributes(more...)
		}
		t.processed.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(d.labels(more...)...))
		span.End()
	}
}

// Send begins the producer span of one message, in the trace that the message
// was written in: the relay publishes what other requests left. It returns the
// traceparent for the message to carry.
func Send(ctx context.Context, topic, id, traceparent string) (carry string, end func(error)) {
	t := active.Load()
	if t == nil {
		return traceparent, func(error) {}
	}
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(semconv.MessagingSystemGCPPubSub, semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(topic), semconv.MessagingMessageID(id)),
	}
	here, from := trace.SpanContextFromContext(ctx), parse(traceparent)
	if from.IsValid() {
		if here.IsValid() && here.TraceID() != from.TraceID() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: here}))
		}
		ctx = trace.ContextWithRemoteSpanContext(ctx, from)
	}
	ctx, span := t.tracer.Start(ctx, "send "+topic, options...)
	return TraceOf(ctx).Traceparent(), func(err error) { finish(span, err) }
}

// errorType is a word of a few: the message of an error would make a series of
// its own each time.
func errorType(err error) string {
	var known *errs.Error
	switch {
	case errors.As(err, &known):
		return string(known.Code)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "timeout"
	}
	if s, ok := status.FromError(err); ok {
		return s.Code().String()
	}
	return "_OTHER"
}
