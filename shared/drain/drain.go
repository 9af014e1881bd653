// Package drain lets requests and events in flight finish when the platform
// asks the process to end: the Functions Framework has no graceful stop, so a
// SIGTERM would cut them.
package drain

import (
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

var (
	once sync.Once
	// Each request holds the lock for reading; the end of the process is its
	// writer, so it waits for all of them and lets no new one begin.
	work sync.RWMutex
)

// Enter marks the begin of a request; the caller defers what it returns. On
// the platform, the first one begins to watch for SIGTERM. Elsewhere signals
// belong to whoever runs the process.
func Enter() (leave func()) {
	if os.Getenv("K_SERVICE") != "" {
		once.Do(Watch)
	}
	work.RLock()
	return work.RUnlock
}

// Watch ends the process at SIGTERM, after what is in flight.
func Watch() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		Wait()
		os.Exit(0)
	}()
}

// Wait returns when nothing is in flight, or when the platform would not wait
// any longer.
func Wait() {
	idle := make(chan struct{})
	go func() {
		work.Lock()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(limit):
		slog.Warn("requests were cut at the end of the process")
	}
}
