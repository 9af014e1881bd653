// Command rotate changes Segue's keys while it runs: the keyset that wraps
// content keys, and the keys that sign URLs for Cloud CDN. ARCHITECTURE.md,
// "Rotating keys", says in which order, and what to look at in between.
//
//	go run ./scripts/rotate keyset status|add|promote|rewrap|retire
//	go run ./scripts/rotate cdn status|new|use|retire|secret
//	go run ./scripts/rotate deploy
//
// Its environment is the functions' (locally `source .segue/env`). It exits with
// 1 when something failed or was refused, and 2 when it was called wrongly.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{
		getenv: os.Getenv, in: os.Stdin, out: os.Stdout, err: os.Stderr, clock: time.Now, http: http.DefaultClient, open: open,
	}
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// open connects to what the environment names.
func open(ctx context.Context) (*event.Writer, error) {
	c, err := config.Load[gcp.Config](ctx)
	if err != nil {
		return nil, err
	}
	return event.Open(c)
}
