package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	paceTracks  = 4
	paceWorkers = 2
	maxAttempts = 10 // as the subscriptions have it
)

type pace struct{ perMinute, cpu float64 }

// paceRows say how fast music comes in.
func paceRows(w *world) []row {
	paces := &repetitions[pace]{run: func(ctx context.Context, _ int) (pace, error) {
		if err := w.open(ctx); err != nil {
			return pace{}, err
		}
		if err := w.warm(ctx); err != nil {
			return pace{}, err
		}
		return w.pace(ctx)
	}}
	return []row{{
		name: "ingest.tracks-per-minute", unit: "1/min", once: true,
		how: fmt.Sprintf("%d different tracks of 3 min from upload to playable, %d instances at work", paceTracks, paceWorkers),
		measure: func(ctx context.Context, k int) (sample, error) {
			p, err := paces.get(ctx, k)
			return sample{value: p.perMinute}, err
		},
	}, {
		name: "ingest.cpu-per-track", unit: "s", once: true, how: "CPU of all functions in that run, for a track of 3 min",
		measure: func(ctx context.Context, k int) (sample, error) {
			p, err := paces.get(ctx, k)
			return sample{value: p.cpu}, err
		},
	}}
}

// pace ingests several tracks with several workers, which take the next event
// whatever function it is for, and give back what fails, as Pub/Sub would.
func (w *world) pace(ctx context.Context) (pace, error) {
	var ids []string
	var queue []delivery
	for i := range paceTracks {
		file, err := w.flac(ctx, uint64(2+i), trackSeconds)
		if err != nil {
			return pace{}, err
		}
		u, first, err := w.announce(ctx, file)
		if err != nil {
			return pace{}, err
		}
		ids, queue = append(ids, u.ID), append(queue, first...)
	}
	before, err := usedCPU()
	if err != nil {
		return pace{}, err
	}
	start := time.Now()
	if err := w.work(ctx, queue); err != nil {
		return pace{}, err
	}
	wall := time.Since(start)
	after, err := usedCPU()
	if err != nil {
		return pace{}, err
	}
	for _, id := range ids {
		if _, err := w.playable(ctx, id); err != nil {
			return pace{}, err
		}
	}
	return pace{perMinute: paceTracks / wall.Minutes(), cpu: after.minus(before).total() / paceTracks}, nil
}

func (w *world) work(ctx context.Context, queue []delivery) error {
	var mu sync.Mutex
	atWork := 0
	more := sync.NewCond(&mu)
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, more.Broadcast)()
	for range paceWorkers {
		g.Go(func() error {
			mu.Lock()
			defer mu.Unlock()
			for ctx.Err() == nil {
				if len(queue) == 0 {
					if atWork == 0 {
						more.Broadcast()
						return nil
					}
					more.Wait() // what is at work may bring more
					continue
				}
				d := queue[0]
				queue = queue[1:]
				atWork++
				mu.Unlock()
				again, err := w.attempt(ctx, d)
				mu.Lock()
				atWork--
				queue = append(queue, again...)
				more.Broadcast()
				if err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// attempt delivers once, and returns what is to be delivered then.
func (w *world) attempt(ctx context.Context, d delivery) ([]delivery, error) {
	err := w.here(ctx, d)
	if d.attempt++; err != nil && d.attempt < maxAttempts {
		return []delivery{d}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s on %s, %d times: %w", d.function, d.topic, d.attempt, err)
	}
	return w.pull(ctx)
}
