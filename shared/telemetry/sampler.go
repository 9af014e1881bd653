package telemetry

import (
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampler decides once a trace, at the edge, and everything behind it follows.
//
// At the edge the caller's own sampled flag counts for nothing: a listener could
// have all of his requests recorded by setting it, and Google's front end clears
// it on all but a few a minute.
//
// A trace begins with a request or an event. What the client libraries do on
// their own account (sessions, batches) belongs to none and is left out: the
// batch that carries an event is already seen as the event's producer span.
type sampler struct{ share, follow sdk.Sampler }

func newSampler(share float64) sdk.Sampler {
	s := sdk.TraceIDRatioBased(share)
	return sampler{share: s, follow: sdk.ParentBased(s)}
}

func (s sampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	root := !trace.SpanContextFromContext(p.ParentContext).IsValid()
	switch {
	case p.Kind == trace.SpanKindServer:
		return s.share.ShouldSample(p)
	case root && p.Kind != trace.SpanKindConsumer:
		return sdk.NeverSample().ShouldSample(p)
	}
	return s.follow.ShouldSample(p)
}

func (s sampler) Description() string { return "Segue{" + s.share.Description() + "}" }
