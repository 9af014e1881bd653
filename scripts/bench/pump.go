package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/registry"
)

// invoke delivers one event to its function and returns what it said.
type invoke func(context.Context, delivery) error

// announce records an upload and sends its file, as a label does. Each is of a
// label of its own, so that nothing is a duplicate of anything.
func (w *world) announce(ctx context.Context, file string) (*ingest.Upload, []delivery, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	u := &ingest.Upload{
		ID: id.Random(), LabelID: id.Random(), Filename: "bench.flac", ContentType: "audio/flac", Size: stat.Size(),
		Status: ingest.Waiting, ExpiresAt: time.Now().Add(time.Hour),
	}
	u.Object = ingest.Prefix + u.ID
	row, err := u.Insert()
	if err != nil {
		return nil, nil, err
	}
	if _, err := w.spanner.Apply(ctx, []*spanner.Mutation{row}); err != nil {
		return nil, nil, fmt.Errorf("announce: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	object := w.uploads.Object(u.Object).NewWriter(ctx)
	object.ChunkSize = 0
	if _, err := io.Copy(object, f); err != nil {
		return nil, nil, fmt.Errorf("upload: %w", err)
	}
	if err := object.Close(); err != nil {
		return nil, nil, fmt.Errorf("upload: %w", err)
	}
	return u, w.finalized(u.Object, object.Attrs().Generation), nil
}

// drive delivers event after event until no more come of them.
func (w *world) drive(ctx context.Context, queue []delivery, to invoke) error {
	for len(queue) > 0 {
		d := queue[0]
		if err := to(ctx, d); err != nil {
			return fmt.Errorf("%s on %s: %w", d.function, d.topic, err)
		}
		more, err := w.pull(ctx)
		if err != nil {
			return err
		}
		queue = append(queue[1:], more...)
	}
	return nil
}

// playable asks that the upload came to its good end: a figure of an ingest
// that failed would be of something else.
func (w *world) playable(ctx context.Context, upload string) (*ingest.Upload, error) {
	u, err := ingest.Read(ctx, w.spanner.Single(), upload)
	if err == nil && u.Status != ingest.Playable {
		err = fmt.Errorf("the upload is %s, not playable: %s", u.Status, u.Reason)
	}
	return u, err
}

// pushed is the body of a push, and the data of the event that the Functions
// Framework makes of it.
func (w *world) pushed(d delivery) map[string]any {
	return map[string]any{
		"subscription": w.subscription(d.function + "." + d.topic),
		"message":      map[string]any{"messageId": d.id, "data": d.data, "attributes": d.attributes, "publishTime": time.Now().UTC().Format(time.RFC3339Nano)},
	}
}

// here calls the registered function in this process.
func (w *world) here(ctx context.Context, d delivery) error {
	for _, f := range registry.All() {
		if f.Name != d.function || f.CloudEvent == nil {
			continue
		}
		body, err := json.Marshal(w.pushed(d))
		if err != nil {
			return err
		}
		e := event.New()
		e.SetID(d.id)
		e.SetSource("//pubsub.googleapis.com/projects/" + w.project + "/topics/" + d.topic)
		e.SetType("google.cloud.pubsub.topic.v1.messagePublished")
		if err := e.SetData(event.ApplicationJSON, json.RawMessage(body)); err != nil {
			return err
		}
		return f.CloudEvent(ctx, e)
	}
	return fmt.Errorf("the manifest has an event function %s, but this build links none", d.function)
}
