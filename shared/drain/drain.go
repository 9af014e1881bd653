// Package drain lets requests and events in flight finish when the platform
// asks the process to end: the Functions Framework has no graceful stop, so a
// SIGTERM would cut them.
package drain

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// limit is a little less than the ten seconds between Cloud Run's SIGTERM and
// its SIGKILL.
const limit = 9 * time.Second

// answer is for the server to send what the last handler returned: it does so
// after the handler left.
const answer = 200 * time.Millisecond

// lastWords is what is left for whoever has something to send at the end: with
// limit, it stays below the platform's ten seconds.
const lastWords = 700 * time.Millisecond

var (
	once sync.Once
	work gate

	mu    sync.Mutex
	atEnd []func(context.Context)
)

// AtEnd has f called when the process ends, after what was in flight; its
// context ends before the process does.
func AtEnd(f func(context.Context)) {
	mu.Lock()
	defer mu.Unlock()
	atEnd = append(atEnd, f)
}

// sayLast runs what AtEnd was given, all at once.
func sayLast() {
	mu.Lock()
	defer mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	var all sync.WaitGroup
	for _, f := range atEnd {
		all.Go(func() { f(ctx) })
	}
	all.Wait()
}

// Enter marks the begin of a request; the caller defers leave. Once the process
// was told to end it lets nobody in: the caller answers that at once, so that
// whoever sent it can go elsewhere. On the platform, the first call begins to
// watch for SIGTERM. Elsewhere signals belong to whoever runs the process.
func Enter() (leave func(), ok bool) {
	if os.Getenv("K_SERVICE") != "" {
		once.Do(Watch)
	}
	return work.enter()
}

// Watch ends the process at SIGTERM, after what is in flight.
func Watch() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		if !work.close(limit) {
			slog.Warn("requests were cut at the end of the process")
		}
		answered := time.After(answer)
		sayLast()
		<-answered
		os.Exit(0)
	}()
}
