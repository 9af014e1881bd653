// Command dlq shows the messages that no delivery got done, and sends them again
// once their cause is mended:
//
//	go run ./scripts/dlq list                     # what waits, the newest first
//	go run ./scripts/dlq list --function ingest-transcode --since 2h --all
//	go run ./scripts/dlq show ID
//	go run ./scripts/dlq replay ID…               # these
//	go run ./scripts/dlq replay --function ingest-transcode --dry-run
//	go run ./scripts/dlq replay --all             # all that waits
//
// A replay publishes the message to its topic, with the id that its event has, and
// then records that it did. Ended between the two, it is replayed again by the next
// run: twice is fine, since consumers know an event that comes again, and never
// zero. What dies again is a dead letter of its own, which names the first.
//
// Its environment is the functions' (SEGUE_PROJECT, SEGUE_SPANNER_DATABASE; locally
// `source .segue/env`). It exits with 1 when something failed, 2 when it was called
// wrongly, and 130 when it was interrupted.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{out: os.Stdout, err: os.Stderr, now: time.Now, open: open}
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// stores are what the command works with.
type stores struct {
	spanner   *spanner.Client
	publisher *event.Publisher
}

func open(ctx context.Context) (stores, error) {
	c, err := config.Load[gcp.Config](ctx)
	if err != nil {
		return stores{}, err
	}
	clients := gcp.For(c)
	client, err := clients.Spanner()
	if err != nil {
		return stores{}, err
	}
	topics, err := clients.PubSub()
	if err != nil {
		return stores{}, err
	}
	return stores{client, event.NewPublisher(topics)}, nil
}
