// Package event is how functions tell each other what happened: protobuf
// messages on Pub/Sub, written together with the rows that they announce. It
// knows no domain; eventpb holds the messages.
package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/segue-audio/segue/shared/telemetry"
)

// Attribute names of a message. The id is drawn once and stays the same however
// often the message is published: consumers recognise a repetition by it.
const (
	attrID    = "id"
	attrTime  = "time"
	attrTrace = "traceparent"
)

// Message is an event in the form in which it is stored and published.
type Message struct {
	ID    string // UUID
	Topic string
	Data  []byte // protobuf
	Trace string // traceparent
	Time  time.Time
}

// New encodes m as an event of the context's trace. Strings of m may not be
// empty: a message that names nothing would be retried until it dead-letters.
func New(ctx context.Context, m proto.Message, now time.Time) (Message, error) {
	if err := complete(m.ProtoReflect()); err != nil {
		return Message{}, err
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return Message{}, fmt.Errorf("encode %s: %w", Topic(m), err)
	}
	return Message{
		ID: uuid.NewString(), Topic: Topic(m), Data: data,
		Trace: telemetry.TraceOf(ctx).Traceparent(), Time: now.UTC(),
	}, nil
}

func complete(m protoreflect.Message) error {
	var missing []error
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() == protoreflect.StringKind && !f.IsList() && m.Get(f).String() == "" {
			missing = append(missing, fmt.Errorf("event %s: %s is empty", m.Descriptor().Name(), f.Name()))
		}
	}
	return errors.Join(missing...)
}

// Topic is the name of the topic that carries m: TranscodeRequested travels on
// transcode-requested.
func Topic(m proto.Message) string {
	return TopicOf(string(m.ProtoReflect().Descriptor().Name()))
}

// TopicOf is Topic for the bare name of a message.
func TopicOf(message string) string {
	var b strings.Builder
	for i, c := range message {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// attributes of m when it is sent by the span of trace.
func (m Message) attributes(trace string) map[string]string {
	return map[string]string{attrID: m.ID, attrTime: m.Time.Format(time.RFC3339Nano), attrTrace: trace}
}
