// Package relay publishes the events that a function wrote but did not live to
// publish.
package relay

import (
	"context"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct{ gcp.Config }

func init() {
	httpapi.RegisterJob[Config]("ops-relay", once.Value(wire), Relay)
}

func wire() (*event.Writer, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return nil, err
	}
	return event.Open(c.Config)
}

// grace is what a function has to publish by itself.
const grace = time.Minute

// Relay empties the outbox of what is older than the grace when the job is due.
func Relay(ctx context.Context, w *event.Writer) (map[string]int, error) {
	n, err := w.Relay(ctx, httpapi.DueAt(ctx, w.Now).Add(-grace))
	return map[string]int{"published": n}, err
}
