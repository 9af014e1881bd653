package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// plan is a load: so many requests a second, by users who press alike, within
// the limits that production has.
type plan struct {
	rate, users, tracks, connections int
	length, settle                   time.Duration // settle: before the heap is first looked at
}

// minute asks for a little more than what must be reached.
var minute = plan{rate: 2020, users: 100, tracks: 500, connections: 100, length: time.Minute, settle: 10 * time.Second}

const loadGoal = 2000

// ran is what came of it.
type ran struct {
	perSecond     float64 // answered well, while it lasted
	errors        int64
	first         error // of the errors
	before, after int64 // live heap
	took          []time.Duration
	function, own float64 // cores
}

func (l ran) String() string {
	s := fmt.Sprintf("the function took %.2f cores, its client %.2f", l.function, l.own)
	if l.first != nil {
		s += "; the first error: " + l.first.Error()
	}
	return s
}

func loadRows(w *world, p plan) []row {
	runs := &repetitions[ran]{run: func(ctx context.Context, _ int) (ran, error) { return w.load(ctx, p) }}
	figure := func(name, unit, how string, b *budget, value func(ran) sample) row {
		return row{
			name: "load." + name, unit: unit, budget: b, once: true,
			how: fmt.Sprintf("%s; %s of GET /stream by %d users, %d offered a second", how, p.length, p.users, p.rate),
			measure: func(ctx context.Context, k int) (sample, error) {
				l, err := runs.get(ctx, k)
				if err != nil {
					return sample{}, err
				}
				return value(l), nil
			},
		}
	}
	return []row{
		figure("rate", "1/s", "answered with 200", atLeast(loadGoal), func(l ran) sample { return sample{l.perSecond, l.String()} }),
		figure("errors", "requests", "any other end of a request", atMost(0), func(l ran) sample { return sample{value: float64(l.errors)} }),
		figure("heap-growth", "%", fmt.Sprintf("what is alive after a collection, the most of the second half over that after %s", p.settle), atMost(10), func(l ran) sample {
			return sample{over(float64(l.after), float64(l.before)), fmt.Sprintf("%.1f MiB after %.1f MiB", float64(l.after)/mebi, float64(l.before)/mebi)}
		}),
		figure("p99", "ms", "of the answers", nil, func(l ran) sample { return sample{value: quantile(l.took, 0.99)} }),
	}
}

func (w *world) load(ctx context.Context, p plan) (l ran, err error) {
	tracks, err := w.songs(ctx, p.tracks)
	if err != nil {
		return l, err
	}
	users, err := w.tokens(p.users)
	if err != nil {
		return l, err
	}
	program, err := w.alone(ctx)
	if err != nil {
		return l, err
	}
	d, err := w.deploy(ctx, program, map[string]string{"SEGUE_RATE_LIMITS": ""}, press(tracks[0], "", users[0]))
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, d.end(ctx)) }()
	requests := make([][]byte, max(p.tracks, p.users))
	for i := range requests {
		requests[i] = press(tracks[i%p.tracks], "", users[i%p.users])
	}
	// All connections at once, so that the pools are as large as they become: a
	// tenth of what each user may press at once.
	if _, err := hammer(ctx, d.addr, p.connections, slices.Repeat(requests[:p.users], 10)); err != nil {
		return l, err
	}
	before, err := cpuOf(d.PID())
	if err != nil {
		return l, err
	}
	ours, err := usedCPU()
	if err != nil {
		return l, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		l.before, l.after, err = d.growth(gctx, p)
		return err
	})
	g.Go(func() error { return l.offer(gctx, d.addr, p, requests) })
	if err := g.Wait(); err != nil {
		return l, fmt.Errorf("%w: %s", err, d.said())
	}
	after, err := cpuOf(d.PID())
	if err != nil {
		return l, err
	}
	now, err := usedCPU()
	l.function, l.own = (after-before)/p.length.Seconds(), now.minus(ours).self/p.length.Seconds()
	return l, err
}
