// Package invalidate makes the catalogue cache forget what changed. Whoever
// changes a row writes only the event; this function has Pub/Sub's retries on
// its side, so that a Redis which was away learns of the change when it is back.
package invalidate

import (
	"context"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/once"
	"github.com/segue-audio/segue/shared/playback"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	gcp.RedisConfig
}

func init() {
	event.Register[Config]("catalog-invalidate", once.Value(wire), Invalidate)
}

// Deps are what Invalidate works with.
type Deps struct {
	Spanner *spanner.Client
	Access  *playback.Access
}

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	client, err := gcp.For(c.Config).Spanner()
	if err != nil {
		return Deps{}, err
	}
	redis, err := gcp.Redis(c.RedisConfig)
	if err != nil {
		return Deps{}, err
	}
	return Deps{client, &playback.Access{Redis: redis, Now: time.Now}}, nil
}

// Invalidate brings one change to Redis. Twice, or in another order, is the same.
func Invalidate(ctx context.Context, m *eventpb.CatalogChanged, d Deps) error {
	if m.GetKind() != "track" {
		return nil // albums and artists are not cached yet
	}
	return d.Access.Refresh(ctx, d.Spanner, m.GetId())
}
