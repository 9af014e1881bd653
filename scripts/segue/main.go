// Command segue is Segue's client for a shell: it uploads files and folders,
// tells what became of them, and writes a track's audio where it is wanted.
//
//	go run ./scripts/segue upload album/
//	go run ./scripts/segue stream TRACK > track.ogg
//
// It exits with 1 when something failed, 2 when it was called wrongly, and 130
// when it was interrupted. `segue completion` writes completions for shells.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
)

var errInterrupted = errors.New("interrupted")

func main() {
	// The first signal lets what is under way be left in order, the second ends.
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel(errInterrupted)
	}()
	a := &app{
		getenv: os.Getenv, out: os.Stdout, err: os.Stderr,
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())), errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		cache: cache, http: http.DefaultClient, poll: time.Second,
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// cache is where uploads that are not settled are remembered.
func cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "segue", "uploads"), err
}
