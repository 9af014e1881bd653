package pubsub

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/segue-audio/segue/functions"
)

func manifest() *functions.Manifest {
	return &functions.Manifest{
		Topics: []functions.Topic{{Name: "upload-finalized"}, {Name: "rendition-ready"}},
		Functions: []functions.Function{
			{Name: "catalog-browse", Kind: functions.HTTP},
			{Name: "ingest-probe", Kind: functions.Event, Topics: []string{"upload-finalized", "rendition-ready"}},
			{Name: "ops-relay", Kind: functions.Scheduled},
		},
	}
}

func connect(t *testing.T, name string) *pubsub.Client {
	t.Helper()
	client, err := dial(t.Context(), shared.Host(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestWireMakesWhatTheManifestNeeds(t *testing.T) {
	t.Parallel()
	name := project()
	client := connect(t, name)
	w := wiring{client: client, project: name}
	// The second time finds everything there, and moves the push endpoint.
	for _, url := range []string{"http://127.0.0.1:1/", "http://127.0.0.1:2/"} {
		if err := Wire(t.Context(), shared.Host(), name, manifest(), func(f, topic string) string { return url + f + "/" + topic }); err != nil {
			t.Fatal(err)
		}
	}
	var topics []string
	for topic, err := range client.TopicAdminClient.ListTopics(t.Context(), &pubsubpb.ListTopicsRequest{Project: "projects/" + name}).All() {
		if err != nil {
			t.Fatal(err)
		}
		topics = append(topics, topic.Name)
	}
	slices.Sort(topics)
	if want := []string{w.topic("dead-letter"), w.topic("rendition-ready"), w.topic("upload-finalized")}; !slices.Equal(topics, want) {
		t.Errorf("topics = %v, want %v", topics, want)
	}
	subscriptions := map[string]*pubsubpb.Subscription{}
	for s, err := range client.SubscriptionAdminClient.ListSubscriptions(t.Context(), &pubsubpb.ListSubscriptionsRequest{Project: "projects/" + name}).All() {
		if err != nil {
			t.Fatal(err)
		}
		subscriptions[s.Name] = s
	}
	probe, dead := subscriptions[w.subscription("ingest-probe.upload-finalized")], subscriptions[w.subscription("dead-letter-inspect")]
	if len(subscriptions) != 3 || subscriptions[w.subscription("ingest-probe.rendition-ready")] == nil || probe == nil || dead == nil {
		t.Fatalf("subscriptions = %v", slices.Collect(maps.Keys(subscriptions)))
	}
	if probe.Topic != w.topic("upload-finalized") || probe.AckDeadlineSeconds != 600 ||
		probe.PushConfig.PushEndpoint != "http://127.0.0.1:2/ingest-probe/upload-finalized" ||
		probe.DeadLetterPolicy.DeadLetterTopic != w.topic("dead-letter") || probe.DeadLetterPolicy.MaxDeliveryAttempts != maxAttempts || probe.RetryPolicy != nil {
		t.Errorf("ingest-probe = %v", probe)
	}
	if dead.Topic != w.topic("dead-letter") || dead.PushConfig.GetPushEndpoint() != "" {
		t.Errorf("dead-letter-inspect = %v", dead)
	}
}

// Their own function's subscription has no dead-letter topic, and there is no other.
func TestDeadLettersGoToTheirFunction(t *testing.T) {
	t.Parallel()
	name := project()
	client := connect(t, name)
	m := manifest()
	m.Topics = append(m.Topics, functions.Topic{Name: DeadLetterTopic, DeadLetters: true})
	m.Functions = append(m.Functions, functions.Function{Name: "ops-deadletter", Kind: functions.Event, Topics: []string{DeadLetterTopic}})
	if err := Wire(t.Context(), shared.Host(), name, m, func(f, topic string) string { return "http://127.0.0.1:1/" + f + "/" + topic }); err != nil {
		t.Fatal(err)
	}
	w := wiring{project: name}
	s, err := client.SubscriptionAdminClient.GetSubscription(t.Context(), &pubsubpb.GetSubscriptionRequest{Subscription: w.subscription("ops-deadletter.dead-letter")})
	if err != nil || s.Topic != w.topic(DeadLetterTopic) || s.DeadLetterPolicy != nil || s.PushConfig.PushEndpoint != "http://127.0.0.1:1/ops-deadletter/dead-letter" {
		t.Errorf("subscription %v, %v", s, err)
	}
	if _, err := client.SubscriptionAdminClient.GetSubscription(t.Context(), &pubsubpb.GetSubscriptionRequest{Subscription: w.subscription(DeadLetterInspect)}); err == nil {
		t.Error("a second subscription takes the dead letters too, which nobody reads")
	}
}

func TestWireNamesWhatItCouldNotMake(t *testing.T) {
	t.Parallel()
	m := manifest()
	m.Functions[1].Topics = []string{"nowhere"}
	err := Wire(t.Context(), shared.Host(), project(), m, func(_, _ string) string { return "http://127.0.0.1:1" })
	if err == nil || !strings.Contains(err.Error(), "ingest-probe") {
		t.Errorf("error = %v, want it to name the subscription", err)
	}
}

// What the emulator posts is what Pub/Sub posts, without the token and the
// count of attempts: these are emulators/push's to add.
func TestUndeliverableMessageIsDeadLetteredIntact(t *testing.T) {
	t.Parallel()
	type push struct {
		Subscription string
		Message      struct {
			Attributes map[string]string
			Data       []byte
			MessageID  string
			Published  time.Time `json:"publishTime"`
		}
	}
	name, attributes := project(), map[string]string{"eventType": "OBJECT_FINALIZE", "objectId": "a/b"}
	pushes := make(chan push, 100)
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p push
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		pushes <- p
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(function.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := connect(t, name)
	// Five attempts are the fewest that Pub/Sub allows.
	w := wiring{client: client, project: name, attempts: 5}
	if err := w.wire(ctx, manifest(), func(_, _ string) string { return function.URL }); err != nil {
		t.Fatal(err)
	}
	id, err := client.Publisher("upload-finalized").Publish(ctx, &pubsub.Message{Data: []byte("sound"), Attributes: attributes}).Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var dead *pubsubpb.ReceivedMessage
	for dead == nil {
		pulled, err := client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: w.subscription(DeadLetterInspect), MaxMessages: 10})
		if err != nil {
			t.Fatalf("no dead letter after %d attempts: %v", len(pushes), err)
		}
		for _, m := range pulled.ReceivedMessages {
			dead = m
		}
	}
	wantDead := maps.Clone(attributes)
	wantDead["CloudPubSubDeadLetterSourceSubscription"] = "ingest-probe.upload-finalized"
	wantDead["CloudPubSubDeadLetterSourceDeliveryCount"] = "5"
	for name, value := range wantDead {
		if dead.Message.Attributes[name] != value {
			t.Errorf("dead letter's %s = %q, want %q", name, dead.Message.Attributes[name], value)
		}
	}
	if string(dead.Message.Data) != "sound" {
		t.Errorf("dead letter's data = %q", dead.Message.Data)
	}
	if len(pushes) != 5 {
		t.Errorf("dead-lettered after %d attempts, want 5", len(pushes))
	}
	p := <-pushes
	if p.Subscription != w.subscription("ingest-probe.upload-finalized") || p.Message.MessageID != id || string(p.Message.Data) != "sound" ||
		!maps.Equal(p.Message.Attributes, attributes) || p.Message.Published.IsZero() {
		t.Errorf("push = %+v", p)
	}
}

// Several that fail at once all come again, as often as is allowed: with a retry
// policy the emulator would forget them after some three deliveries.
func TestNoneOfSeveralThatFailIsForgotten(t *testing.T) {
	t.Parallel()
	const several, often = 4, 8
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(function.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	name := project()
	client := connect(t, name)
	w := wiring{client: client, project: name, attempts: often}
	if err := w.wire(ctx, manifest(), func(_, _ string) string { return function.URL }); err != nil {
		t.Fatal(err)
	}
	for range several {
		if _, err := client.Publisher("upload-finalized").Publish(ctx, &pubsub.Message{Data: []byte("sound")}).Get(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for dead := 0; dead < several; {
		pulled, err := client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: w.subscription(DeadLetterInspect), MaxMessages: several})
		if err != nil {
			t.Fatalf("%d of %d were dead-lettered: %v", dead, several, err)
		}
		for _, m := range pulled.ReceivedMessages {
			dead++
			if err := client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: w.subscription(DeadLetterInspect), AckIds: []string{m.AckId}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
