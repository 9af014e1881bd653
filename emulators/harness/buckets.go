package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/shared/gcp"
)

func together(ctx context.Context, steps ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range steps {
		g.Go(func() error { return s(ctx) })
	}
	return g.Wait()
}

var buckets = map[string]string{"uploads": uploadsBucket, "audio": audioBucket, "images": imagesBucket}

func (h *Harness) openStorage(ctx context.Context) (*storage.Client, error) {
	return storage.NewClient(ctx, option.WithEndpoint(h.stores.StorageURL+"/storage/v1/"),
		option.WithHTTPClient(&http.Client{Transport: gcp.Bearer{Token: h.stores.Bearer, Base: http.DefaultTransport}}))
}

// createBuckets makes the buckets, and the notifications that the manifest's
// topics ask of them, unless an earlier run did.
func (h *Harness) createBuckets(ctx context.Context) error {
	client, err := h.openStorage(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, name := range buckets {
		if err := createBucket(ctx, client.Bucket(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	for _, t := range h.manifest.Topics {
		if t.Bucket == "" {
			continue
		}
		name, ok := buckets[t.Bucket]
		if !ok {
			return fmt.Errorf("topic %s: there is no bucket %q", t.Name, t.Bucket)
		}
		if err := notifyOnce(ctx, client.Bucket(name), t.Name); err != nil {
			return fmt.Errorf("notifications of bucket %s: %w", name, err)
		}
	}
	return nil
}

func createBucket(ctx context.Context, bucket *storage.BucketHandle) error {
	_, err := bucket.Attrs(ctx)
	if errors.Is(err, storage.ErrBucketNotExist) {
		return bucket.Create(ctx, project, nil)
	}
	return err
}

// notifyOnce adds the notification unless it is there: two would tell of each
// object twice.
func notifyOnce(ctx context.Context, bucket *storage.BucketHandle, topic string) error {
	all, err := bucket.Notifications(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.TopicProjectID == project && n.TopicID == topic {
			return nil
		}
	}
	_, err = bucket.AddNotification(ctx, &storage.Notification{
		TopicProjectID: project, TopicID: topic, PayloadFormat: storage.JSONPayload, EventTypes: []string{storage.ObjectFinalizeEvent},
	})
	return err
}

// uploadsTopic is the topic that tells of new objects in the uploads bucket.
func (h *Harness) uploadsTopic() (string, error) {
	for _, t := range h.manifest.Topics {
		if buckets[t.Bucket] == uploadsBucket {
			return "projects/" + project + "/topics/" + t.Name, nil
		}
	}
	return "", errors.New("no topic of the manifest tells of uploads")
}
