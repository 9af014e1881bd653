package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// starts are so many in a repetition: one alone is noise.
const starts = 5

// startRows are of a cold start. What the platform adds, the container's image
// and its network, is not in them.
func startRows(w *world) []row {
	how := fmt.Sprintf("from exec to the first answer to an authenticated GET /stream with 200, asked every %s; JWKS, Redis and Spanner's session included; median of %d; ", startPoll, starts)
	return []row{
		{
			name: "start." + playFunction, unit: "ms", budget: atMost(300), how: how + "alone in its program, as it is deployed",
			measure: func(ctx context.Context, _ int) (sample, error) {
				if err := w.open(ctx); err != nil {
					return sample{}, err
				}
				program, err := w.alone(ctx)
				if err != nil {
					return sample{}, err
				}
				return w.starts(ctx, program, starts)
			},
		},
		{
			name: "start.linked-with-all", unit: "ms", how: how + "in the program that links all functions and emulators",
			measure: func(ctx context.Context, _ int) (sample, error) {
				program, err := os.Executable()
				if err != nil {
					return sample{}, err
				}
				return w.starts(ctx, program, starts)
			},
		},
	}
}

func (w *world) starts(ctx context.Context, program string, n int) (sample, error) {
	tracks, err := w.songs(ctx, n)
	if err != nil {
		return sample{}, err
	}
	users, err := w.tokens(1)
	if err != nil {
		return sample{}, err
	}
	var all []float64
	for _, t := range tracks {
		d, err := w.deploy(ctx, program, nil, press(t, "", users[0]))
		if err != nil {
			return sample{}, err
		}
		cpu, err := cpuOf(d.PID())
		if err := errors.Join(err, d.end(ctx)); err != nil {
			return sample{}, err
		}
		all = append(all, d.up.Seconds()*1e3)
		fmt.Fprintf(w.progress, "bench: started in %.0f ms, of which CPU %.0f ms\n", d.up.Seconds()*1e3, cpu*1e3)
	}
	return sample{value: median(all)}, nil
}
