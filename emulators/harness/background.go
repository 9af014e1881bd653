package harness

import (
	"context"
	"fmt"
	"sync"
)

// background is what goes on after ready, until it ends or the harness stops.
// It never ends the harness: what goes wrong is said.
type background struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (h *Harness) goOn() *background {
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{cancel: cancel}
	b.wg.Go(func() {
		if err := h.options.Background(ctx, h); err != nil && ctx.Err() == nil {
			fmt.Fprintf(h.log.part("demo"), "%v\n", err)
		}
	})
	return b
}

func (b *background) Name() string                 { return "demo" }
func (b *background) Start(context.Context) error  { return nil }
func (b *background) Health(context.Context) error { return nil }
func (b *background) Failed() <-chan error         { return nil }

func (b *background) Stop(context.Context) error {
	b.cancel()
	b.wg.Wait()
	return nil
}
