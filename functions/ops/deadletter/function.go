// Package deadletter keeps what no delivery got done: Pub/Sub forwards a message
// to the dead-letter topic after its tries, and this function stores it with the
// reason, says so in the log, and leaves the rest to an operator (scripts/dlq).
// What it cannot store itself is delivered to it again, for as long as Pub/Sub
// keeps it: its own subscription has no dead-letter topic, so nothing goes round.
package deadletter

import (
	"context"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct{ gcp.Config }

func init() {
	event.RegisterDeadLetters[Config]("ops-deadletter", once.Value(wire), Keep)
}

func wire() (*spanner.Client, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return nil, err
	}
	return gcp.For(c.Config).Spanner()
}
