package pubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/functions"
)

const (
	// DeadLetterTopic receives what no delivery got done.
	DeadLetterTopic = "dead-letter"
	// DeadLetterInspect is the pull subscription that keeps dead letters where the
	// manifest has no function for them: without any, they would be lost.
	DeadLetterInspect = "dead-letter-inspect"

	// The longest that Pub/Sub has: a later answer does not acknowledge.
	ackDeadline = 600 * time.Second
	// Production has ten deliveries, 10 s to 600 s apart. The emulator forgets
	// messages where a subscription has a retry policy: several that fail are
	// delivered some three times each, and then never again. Without one it
	// delivers every second, so that it takes more of them to last as long as a
	// lease does.
	maxAttempts = 30
)

// Wire makes what the manifest needs in the emulator at host: every topic, the
// dead letters, and for each topic of each event function a push subscription to
// pushURL. What exists already stays, but for the push URL, which follows pushURL.
func Wire(ctx context.Context, host, project string, m *functions.Manifest, pushURL func(function, topic string) string) error {
	client, err := dial(ctx, host, project)
	if err != nil {
		return fmt.Errorf("wire Pub/Sub: %w", err)
	}
	w := wiring{client: client, project: project, attempts: maxAttempts}
	if err := errors.Join(w.wire(ctx, m, pushURL), client.Close()); err != nil {
		return fmt.Errorf("wire Pub/Sub: %w", err)
	}
	return nil
}

func dial(ctx context.Context, host, project string) (*pubsub.Client, error) {
	return pubsub.NewClient(ctx, project, option.WithEndpoint(host), option.WithoutAuthentication(), option.WithTelemetryDisabled(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
}

type wiring struct {
	client   *pubsub.Client
	project  string
	attempts int32
}

func (w wiring) wire(ctx context.Context, m *functions.Manifest, pushURL func(function, topic string) string) error {
	for _, t := range append([]functions.Topic{{Name: DeadLetterTopic}}, m.Topics...) {
		_, err := w.client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: w.topic(t.Name)})
		if err != nil && status.Code(err) != codes.AlreadyExists {
			return fmt.Errorf("topic %s: %w", t.Name, err)
		}
	}
	kept := false
	for _, f := range m.Functions {
		for _, topic := range f.Topics {
			kept = kept || topic == DeadLetterTopic
			if err := w.subscribe(ctx, w.push(f.Subscription(topic), topic, pushURL(f.Name, topic))); err != nil {
				return err
			}
		}
	}
	if kept {
		return nil
	}
	return w.subscribe(ctx, &pubsubpb.Subscription{
		Name: w.subscription(DeadLetterInspect), Topic: w.topic(DeadLetterTopic), AckDeadlineSeconds: int32(ackDeadline.Seconds()),
	})
}

func (w wiring) push(name, topic, url string) *pubsubpb.Subscription {
	s := &pubsubpb.Subscription{
		Name: w.subscription(name), Topic: w.topic(topic),
		AckDeadlineSeconds: int32(ackDeadline.Seconds()),
		PushConfig:         &pubsubpb.PushConfig{PushEndpoint: url},
		DeadLetterPolicy:   &pubsubpb.DeadLetterPolicy{DeadLetterTopic: w.topic(DeadLetterTopic), MaxDeliveryAttempts: w.attempts},
	}
	if topic == DeadLetterTopic {
		s.DeadLetterPolicy = nil // a dead letter that cannot be kept comes again
	}
	return s
}

func (w wiring) subscribe(ctx context.Context, s *pubsubpb.Subscription) error {
	_, err := w.client.SubscriptionAdminClient.CreateSubscription(ctx, s)
	if status.Code(err) == codes.AlreadyExists {
		err = nil
		if s.PushConfig != nil {
			err = w.client.SubscriptionAdminClient.ModifyPushConfig(ctx, &pubsubpb.ModifyPushConfigRequest{Subscription: s.Name, PushConfig: s.PushConfig})
		}
	}
	if err != nil {
		return fmt.Errorf("subscription %s: %w", s.Name, err)
	}
	return nil
}

func (w wiring) topic(name string) string {
	return fmt.Sprintf("projects/%s/topics/%s", w.project, name)
}

func (w wiring) subscription(name string) string {
	return fmt.Sprintf("projects/%s/subscriptions/%s", w.project, name)
}
