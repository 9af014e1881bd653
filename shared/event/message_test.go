package event_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
)

func TestNewRefusesMessagesThatNameNothing(t *testing.T) {
	t.Parallel()
	complete := &eventpb.RenditionReady{UploadId: "u", TrackId: "t", Format: "ogg", AttemptId: "a"}
	for want, m := range map[string]proto.Message{
		"event CatalogChanged: kind is empty\nevent CatalogChanged: id is empty": &eventpb.CatalogChanged{},
		"event CatalogChanged: id is empty":                                      &eventpb.CatalogChanged{Kind: "track"},
		"event RenditionReady: attempt_id is empty":                              &eventpb.RenditionReady{UploadId: "u", TrackId: "t", Format: "ogg"},
	} {
		if _, err := event.New(t.Context(), m, time.Now()); err == nil || err.Error() != want {
			t.Errorf("New(%v) = %v, want %s", m, err, want)
		}
	}
	m, err := event.New(t.Context(), complete, time.Now())
	if err != nil || m.Topic != "rendition-ready" || !strings.HasPrefix(m.Trace, "00-") {
		t.Errorf("New = %+v, %v", m, err)
	}
	if again, err := event.New(t.Context(), complete, time.Now()); err != nil || again.ID == m.ID {
		t.Errorf("two events share the id %s: %v", m.ID, err)
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]proto.Message{
		"transcode-requested": &eventpb.TranscodeRequested{},
		"rendition-ready":     &eventpb.RenditionReady{},
		"catalog-changed":     &eventpb.CatalogChanged{},
	} {
		if got := event.Topic(m); got != want {
			t.Errorf("Topic = %s, want %s", got, want)
		}
	}
}
