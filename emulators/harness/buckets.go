package harness

import (
	"context"
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

// createBuckets makes the buckets, and the notifications that the manifest's
// topics ask of them.
func (h *Harness) createBuckets(ctx context.Context) error {
	client, err := storage.NewClient(ctx, option.WithEndpoint(h.stores.StorageURL+"/storage/v1/"),
		option.WithHTTPClient(&http.Client{Transport: gcp.Bearer{Token: h.stores.Bearer, Base: http.DefaultTransport}}))
	if err != nil {
		return err
	}
	defer client.Close()
	buckets := map[string]string{"uploads": uploadsBucket, "audio": audioBucket}
	for _, name := range buckets {
		if err := client.Bucket(name).Create(ctx, project, nil); err != nil {
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
		_, err := client.Bucket(name).AddNotification(ctx, &storage.Notification{
			TopicProjectID: project, TopicID: t.Name, PayloadFormat: storage.JSONPayload, EventTypes: []string{storage.ObjectFinalizeEvent},
		})
		if err != nil {
			return fmt.Errorf("notifications of bucket %s: %w", name, err)
		}
	}
	return nil
}
