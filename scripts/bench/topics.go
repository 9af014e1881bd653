package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// delivery is one event on its way to one function.
type delivery struct {
	function, topic string
	id              string
	data            []byte
	attributes      map[string]string
	attempt         int
}

// createTopics makes the manifest's topics, with one subscription each: this
// program is Pub/Sub's delivery, so that it knows when all is done.
func (w *world) createTopics(ctx context.Context) error {
	for _, t := range w.manifest.Topics {
		name := "projects/" + w.project + "/topics/" + t.Name
		if _, err := w.topics.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: name}); err != nil {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		_, err := w.topics.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
			Name: w.subscription(t.Name), Topic: name, AckDeadlineSeconds: 600,
		})
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", t.Name, err)
		}
	}
	return nil
}

func (w *world) subscription(topic string) string {
	return "projects/" + w.project + "/subscriptions/" + topic
}

// pull takes all that is on the topics now. A publisher waits for Pub/Sub to
// take its messages, so what a function published before it ended is in it.
func (w *world) pull(ctx context.Context) ([]delivery, error) {
	var all []delivery
	for _, t := range w.manifest.Topics {
		for {
			within, cancel := context.WithTimeout(ctx, 10*time.Second)
			//nolint:staticcheck // return_immediately is deprecated for production: here, nothing must be seen at once
			resp, err := w.topics.SubscriptionAdminClient.Pull(within, &pubsubpb.PullRequest{Subscription: w.subscription(t.Name), MaxMessages: 100, ReturnImmediately: true})
			cancel()
			if err != nil {
				return nil, fmt.Errorf("pull from %s: %w", t.Name, err)
			}
			if len(resp.GetReceivedMessages()) == 0 {
				break
			}
			acks := &pubsubpb.AcknowledgeRequest{Subscription: w.subscription(t.Name)}
			for _, r := range resp.GetReceivedMessages() {
				acks.AckIds = append(acks.AckIds, r.GetAckId())
				m := r.GetMessage()
				all = append(all, w.fanOut(t.Name, m.GetMessageId(), m.GetData(), m.GetAttributes())...)
			}
			if err := w.topics.SubscriptionAdminClient.Acknowledge(ctx, acks); err != nil {
				return nil, fmt.Errorf("acknowledge on %s: %w", t.Name, err)
			}
		}
	}
	return all, nil
}

// fanOut is one delivery to each function of the topic; a topic without one
// keeps nothing.
func (w *world) fanOut(topic, id string, data []byte, attributes map[string]string) []delivery {
	var all []delivery
	for _, f := range w.manifest.Functions {
		if slices.Contains(f.Topics, topic) {
			all = append(all, delivery{function: f.Name, topic: topic, id: id, data: data, attributes: maps.Clone(attributes)})
		}
	}
	return all
}

// finalized tells of an upload's object, as Cloud Storage does.
func (w *world) finalized(object string, generation int64) []delivery {
	var all []delivery
	for _, t := range w.manifest.Topics {
		if t.Bucket == "uploads" {
			g := strconv.FormatInt(generation, 10)
			all = append(all, w.fanOut(t.Name, "finalized-"+g, nil, map[string]string{
				"eventType": "OBJECT_FINALIZE", "bucketId": w.uploads.BucketName(), "objectId": object, "objectGeneration": g,
			})...)
		}
	}
	return all
}

// dead forwards a delivery to the dead-letter topic, as Pub/Sub does.
func (w *world) dead(d delivery) []delivery {
	attributes := maps.Clone(d.attributes)
	attributes["CloudPubSubDeadLetterSourceSubscription"] = d.function + "." + d.topic
	attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = strconv.Itoa(maxAttempts)
	attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = time.Now().UTC().Format(time.RFC3339Nano)
	var all []delivery
	for _, t := range w.manifest.Topics {
		if t.DeadLetters {
			all = append(all, w.fanOut(t.Name, "dead-"+d.id, d.data, attributes)...)
		}
	}
	return all
}
