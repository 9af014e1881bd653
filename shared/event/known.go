package event

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/segue-audio/segue/shared/event/eventpb"
)

// ErrNoMessage is Decode's for a topic that carries none of our messages, such as
// a bucket's notifications.
var ErrNoMessage = errors.New("the topic carries no message of this build")

// Decode reads a message of any topic that this build knows.
func Decode(topic string, data []byte) (proto.Message, error) {
	all := eventpb.File_event_proto.Messages()
	for i := range all.Len() {
		if TopicOf(string(all.Get(i).Name())) != topic {
			continue
		}
		kind, err := protoregistry.GlobalTypes.FindMessageByName(all.Get(i).FullName())
		if err != nil {
			return nil, err
		}
		m := kind.New().Interface()
		if err := proto.Unmarshal(data, m); err != nil {
			return nil, fmt.Errorf("it is no %s: %w", all.Get(i).Name(), err)
		}
		return m, nil
	}
	return nil, ErrNoMessage
}

// Forward publishes a message as it is, and waits until Pub/Sub has it. What is
// made here goes through Write; this is for what was made before.
func (p *Publisher) Forward(ctx context.Context, topic string, data []byte, attributes map[string]string) error {
	if _, err := p.topic(topic).Publish(ctx, &pubsub.Message{Data: data, Attributes: attributes}).Get(ctx); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}
