package event_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
)

// away is Pub/Sub at an address that refuses, or that accepts and never answers.
func away(t *testing.T, project string, refuses bool) *event.Publisher {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if refuses {
		_ = l.Close()
	} else {
		t.Cleanup(func() { _ = l.Close() })
	}
	client, err := pubsub.NewClient(t.Context(), project, option.WithEndpoint(l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return event.NewPublisher(client)
}

func TestPubSubAwayLeavesEventsToTheRelay(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"it refuses": true, "it hangs": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, topics := emutest.Writer(t)
			there := w.Publisher
			w.Publisher = away(t, topics.Project(), refuses)
			artist := newID()
			// The client of Pub/Sub itself would try for a minute.
			done := make(chan error, 1)
			go func() { done <- w.Write(t.Context(), adding(artist)) }()
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("Write waits for Pub/Sub")
			}
			left := outbox(t, w)
			if len(left) != 1 || count(t, w.Spanner, "Artists", "ArtistId") != 1 {
				t.Fatalf("the outbox has %v", left)
			}
			w.Publisher = there
			relay(t, w, 1)
			arrived(t, topics, 1, left[0])
			if left := outbox(t, w); len(left) != 0 {
				t.Errorf("the outbox keeps %v", left)
			}
		})
	}
}

// One topic that is missing holds up no other's events.
func TestEventsFailAlone(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	name := "projects/" + topics.Project() + "/topics/" + topic
	if err := topics.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: name}); err != nil {
		t.Fatal(err)
	}
	ready := &eventpb.RenditionReady{UploadId: "u", TrackId: "t", Format: "ogg", Bitrate: 96, AttemptId: "a"}
	both := func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		return []proto.Message{changed("x"), ready}, nil
	}
	if err := w.Write(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	if got := emutest.Received(t, topics, "rendition-ready"); len(got) != 1 {
		t.Errorf("%d events arrived on the topic that exists", len(got))
	}
	left := outbox(t, w)
	if len(left) != 1 || left[0].Topic != topic {
		t.Fatalf("the outbox has %v", left)
	}
	if n, err := w.Relay(t.Context(), later()); n != 0 || status.Code(err) != codes.NotFound {
		t.Errorf("the relay published %d: %v", n, err)
	}
	if _, err := topics.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: name}); err != nil {
		t.Fatal(err)
	}
	relay(t, w, 1)
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox keeps %v", left)
	}
}

// What an event caused is waited for longer: the relay would come a minute later,
// and the event itself finds nothing left to do.
func TestEventFunctionWaitsForPubSub(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	proxy := emutest.Faults(t, os.Getenv("PUBSUB_EMULATOR_HOST"))
	client, err := gcp.NewPubSub(t.Context(), topics.Project(), option.WithEndpoint(proxy.Addr), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w.Publisher = event.NewPublisher(client)
	proxy.Cut()
	artist := newID()
	done := make(chan error, 1)
	go func() { done <- w.Write(event.WithPatience(t.Context()), adding(artist)) }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(1500 * time.Millisecond): // longer than a request would
	}
	if err := proxy.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if left := outbox(t, w); len(left) != 0 {
		t.Errorf("the outbox keeps %v", left)
	}
	if got := emutest.Received(t, topics, topic); len(got) != 1 {
		t.Errorf("%d events arrived", len(got))
	}
}
