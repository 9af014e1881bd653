package harness

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/segue-audio/segue/emulators/pubsub"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/shared/event"
)

// prepare makes the database, the buckets and the topics, or finds them as an
// earlier run left them.
func (h *Harness) prepare(ctx context.Context) error {
	err := together(ctx, h.prepareRows, func(ctx context.Context) error {
		if err := pubsub.Wire(ctx, h.stores.PubSubHost, project, h.manifest, h.push.URL); err != nil {
			return err
		}
		// A bucket's notifications need their topic.
		return h.createBuckets(ctx)
	})
	if err != nil {
		return err
	}
	if h.restored {
		storage, err := h.openStorage(ctx)
		if err != nil {
			return err
		}
		defer storage.Close()
		if err := checkObjects(ctx, h.keeper.client, storage.Bucket(audioBucket), h.log.part("state")); err != nil {
			return fmt.Errorf("%w (move the folder %s away to begin anew)", err, h.options.Data)
		}
	}
	h.keeper.begin()
	return nil
}

func (h *Harness) prepareRows(ctx context.Context) error {
	if err := stores.CreateDatabase(ctx, h.stores.SpannerHost, database); err != nil {
		return err
	}
	client, err := stores.OpenDatabase(ctx, h.stores.SpannerHost, database)
	if err != nil {
		return err
	}
	h.restored, err = h.keeper.restore(ctx, client, os.Getenv("SPANNER_EMULATOR_HOST") != "")
	return err
}

// resume sends again what Pub/Sub has forgotten, when the functions can take it.
func (h *Harness) resume(ctx context.Context) error {
	if !h.restored {
		return nil
	}
	storage, err := h.openStorage(ctx)
	if err != nil {
		return err
	}
	defer storage.Close()
	topics, err := h.stores.PubSub(project)
	if err != nil {
		return err
	}
	topic, err := h.uploadsTopic()
	if err != nil {
		return err
	}
	return resumption{
		writer:  &event.Writer{Spanner: h.keeper.client, Publisher: event.NewPublisher(topics), Now: time.Now},
		uploads: storage.Bucket(uploadsBucket), log: h.log.part("state"),
		notify: func(ctx context.Context, a map[string]string) error { return h.stores.Notify(ctx, topic, a) },
	}.run(ctx)
}
