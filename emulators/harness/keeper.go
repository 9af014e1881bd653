package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/state"
)

// keeper keeps the database's rows in a file. It is a part for its place in the
// stop: after all that writes rows, before the store that forgets them. Until
// begin it exports nothing, so that a start that is cut half-way through the
// restore does not put half the rows in the place of all.
type keeper struct {
	file  string
	every time.Duration
	log   io.Writer
	// alive says whether the store answers at all: a client waits long for one
	// that died.
	alive func(context.Context) error

	mu     sync.Mutex
	client *spanner.Client // set by restore
	begun  bool
	done   chan struct{}
	wg     sync.WaitGroup
}

// exportWithin bounds the last export: what waits for the harness's end is to
// have it even if the other parts took their time.
const exportWithin = 20 * time.Second

func newKeeper(file string, every time.Duration, log io.Writer) *keeper {
	return &keeper{file: file, every: every, log: log, done: make(chan struct{})}
}

func (k *keeper) Name() string                 { return "state" }
func (k *keeper) Start(context.Context) error  { return nil }
func (k *keeper) Health(context.Context) error { return nil }
func (k *keeper) Failed() <-chan error         { return nil }

// restore fills the fresh database from the file, if there is one. External: an
// emulator that outlives the harness keeps its rows itself; they are newer.
func (k *keeper) restore(ctx context.Context, client *spanner.Client, external bool) (restored bool, err error) {
	k.mu.Lock()
	k.client = client
	k.mu.Unlock()
	start := time.Now()
	s, err := state.Import(ctx, client, k.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case external && errors.Is(err, state.ErrNotEmpty):
		fmt.Fprintf(k.log, "the Spanner emulator that was running has rows: they stay, %s is not restored\n", k.file)
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%w (move the folder %s away to begin anew)", err, filepath.Dir(k.file))
	}
	for _, d := range s.Dropped {
		fmt.Fprintf(k.log, "the schema has no %s any more: it is not restored\n", d)
	}
	fmt.Fprintf(k.log, "%d rows restored in %s\n", s.Rows, time.Since(start).Round(time.Millisecond))
	return true, nil
}

// begin exports from now on.
func (k *keeper) begin() {
	k.mu.Lock()
	k.begun = true
	k.mu.Unlock()
	k.wg.Go(func() {
		tick := time.NewTicker(k.every)
		defer tick.Stop()
		// A failure is said and tried again: the file is an older one till then.
		for failing := false; ; {
			select {
			case <-k.done:
				return
			case <-tick.C:
			}
			ctx, cancel := context.WithTimeout(context.Background(), exportWithin)
			err := k.export(ctx)
			cancel()
			if err != nil && !failing {
				fmt.Fprintf(k.log, "%v; it is tried again every %s\n", err, k.every)
			}
			failing = err != nil
		}
	})
}

func (k *keeper) export(ctx context.Context) error {
	e := state.Exporter{Client: k.client, File: k.file}
	_, err := e.Export(ctx)
	return err
}

// Stop exports a last time.
func (k *keeper) Stop(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.done)
	k.wg.Wait()
	if k.client == nil {
		return nil
	}
	defer k.client.Close()
	if !k.begun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportWithin)
	defer cancel()
	start := time.Now()
	err := k.asks(ctx)
	if err == nil {
		err = k.export(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %s is of an earlier minute", err, k.file)
	}
	fmt.Fprintf(k.log, "exported in %s\n", time.Since(start).Round(time.Millisecond))
	return nil
}

func (k *keeper) asks(ctx context.Context) error {
	if k.alive == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return k.alive(ctx)
}

// checkKeys refuses to make new keys beside rows that need the old ones: all
// audio would be lost, and nothing would say why.
func checkKeys(snapshot, keys string) error {
	if _, err := os.Stat(snapshot); err != nil {
		return nil //nolint:nilerr // the import says what is wrong with it
	}
	for _, name := range []string{"kek.json", "keyset.json"} {
		file := filepath.Join(keys, name)
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s has tracks whose keys take %s, which is missing: put it back, or move the folder away to begin anew: %w", snapshot, file, err)
		}
	}
	return nil
}
