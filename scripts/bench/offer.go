package main

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// growth looks at the heap after the settling, and six times in the second half.
func (d *deployed) growth(ctx context.Context, p plan) (before, most int64, err error) {
	start := time.Now()
	look := func(after time.Duration) (int64, error) {
		if err := wait(ctx, time.Until(start.Add(after))); err != nil {
			return 0, err
		}
		return d.live(ctx)
	}
	if before, err = look(p.settle); err != nil {
		return 0, 0, err
	}
	for i := range 6 {
		n, err := look(p.length/2 + time.Duration(i)*p.length/12)
		if err != nil {
			return 0, 0, err
		}
		most = max(most, n)
	}
	return before, most, nil
}

// offer sends the requests in turn, evenly, whatever becomes of those before. A
// connection that is late sends at once until it has caught up.
func (l *ran) offer(ctx context.Context, addr string, p plan, requests [][]byte) error {
	gap := time.Second / time.Duration(p.rate)
	var good, bad atomic.Int64
	took := make([][]time.Duration, p.connections)
	firsts := make([]error, p.connections)
	start := time.Now()
	end := start.Add(p.length)
	g, ctx := errgroup.WithContext(ctx)
	for k := range p.connections {
		g.Go(func() error {
			var c *client
			defer func() {
				if c != nil {
					c.close()
				}
			}()
			for i := k; ; i += p.connections {
				due := start.Add(time.Duration(i) * gap)
				if !due.Before(end) || !time.Now().Before(end) {
					return nil
				}
				if err := wait(ctx, time.Until(due)); err != nil {
					return err
				}
				asked := time.Now()
				err := func() (err error) {
					if c == nil {
						if c, err = dial(ctx, addr); err != nil {
							return err
						}
					}
					status, body, err := c.ask(requests[i%len(requests)])
					if err != nil {
						c.close()
						c = nil
					}
					return played(status, body, err)
				}()
				switch {
				case err != nil:
					bad.Add(1)
					firsts[k] = cmp.Or(firsts[k], err)
				case time.Now().Before(end):
					good.Add(1)
					took[k] = append(took[k], time.Since(asked))
				}
				if bad.Load() > maxErrors {
					return fmt.Errorf("given up after %d errors: %w", maxErrors, err)
				}
			}
		})
	}
	err := g.Wait()
	l.perSecond, l.errors = float64(good.Load())/p.length.Seconds(), bad.Load()
	for k := range took {
		l.took = append(l.took, took[k]...)
		if l.first == nil {
			l.first = firsts[k]
		}
	}
	return err
}

// maxErrors end a run whose verdict they have long made.
const maxErrors = 1000

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
