package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes of a run of presses.
const (
	pressClients = 8
	pressUsers   = 64
	coldPlays    = 400
	warmPlays    = 4000
	warmTracks   = 100
)

// unlimited lets one user press as often as the machine can.
var unlimited = map[string]string{"SEGUE_RATE_LIMITS": "stream=1000000:1000000"}

type presses struct {
	cold, warm []time.Duration
	cpu        float64 // seconds of the function, for all warm ones
}

// pressRows are of the function in a process of its own, over HTTP.
func pressRows(w *world) []row {
	runs := &repetitions[presses]{run: func(ctx context.Context, _ int) (presses, error) { return w.press(ctx, coldPlays, warmPlays) }}
	figure := func(name, unit, how string, b *budget, value func(presses) float64) row {
		return row{name: "playback." + name, unit: unit, budget: b, how: how, measure: func(ctx context.Context, k int) (sample, error) {
			p, err := runs.get(ctx, k)
			if err != nil {
				return sample{}, err
			}
			return sample{value: value(p)}, nil
		}}
	}
	warm := fmt.Sprintf("GET /stream over HTTP, %d clients at once, in memory or in Redis, %d plays", pressClients, warmPlays)
	cold := fmt.Sprintf("GET /stream over HTTP, %d clients at once, %d tracks that nobody played before", pressClients, coldPlays)
	return []row{
		figure("warm-p99", "ms", warm, atMost(20), func(p presses) float64 { return quantile(p.warm, 0.99) }),
		figure("warm-p50", "ms", warm, nil, func(p presses) float64 { return quantile(p.warm, 0.5) }),
		figure("cold-p99", "ms", cold, nil, func(p presses) float64 { return quantile(p.cold, 0.99) }),
		figure("cold-p50", "ms", cold, nil, func(p presses) float64 { return quantile(p.cold, 0.5) }),
		figure("request-cpu", "µs", "CPU of the function's process for a warm GET /stream, the server's and Redis's connections too", nil,
			func(p presses) float64 { return p.cpu / float64(len(p.warm)) * 1e6 }),
	}
}

func (w *world) press(ctx context.Context, cold, warm int) (p presses, err error) {
	tracks, err := w.songs(ctx, cold+1)
	if err != nil {
		return p, err
	}
	users, err := w.tokens(pressUsers)
	if err != nil {
		return p, err
	}
	program, err := w.alone(ctx)
	if err != nil {
		return p, err
	}
	d, err := w.deploy(ctx, program, unlimited, press(tracks[cold], "", users[0]))
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, d.end(ctx)) }()
	plays := func(n, of int) [][]byte {
		all := make([][]byte, n)
		for i := range all {
			all[i] = press(tracks[i%of], "", users[i%len(users)])
		}
		return all
	}
	// Connections are made and the code is warm, for both alike.
	if _, err := hammer(ctx, d.addr, pressClients, slices.Repeat([][]byte{press(tracks[cold], "", users[0])}, 50*pressClients)); err != nil {
		return p, err
	}
	if p.cold, err = hammer(ctx, d.addr, pressClients, plays(cold, cold)); err != nil {
		return p, err
	}
	before, err := cpuOf(d.PID())
	if err != nil {
		return p, err
	}
	if p.warm, err = hammer(ctx, d.addr, pressClients, plays(warm, min(warmTracks, cold))); err != nil {
		return p, err
	}
	after, err := cpuOf(d.PID())
	p.cpu = after - before
	return p, err
}

// cpuOf is the user and system time of a process that runs, in seconds.
func cpuOf(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU of process %d: %w", pid, err)
	}
	// The name, in brackets, may hold anything; utime and stime are the 12th and
	// 13th after it, in ticks, of which Linux tells 100 a second.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("CPU of process %d: its stat has %d fields", pid, len(fields))
	}
	var ticks float64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU of process %d: %w", pid, err)
		}
		ticks += n
	}
	return ticks / 100, nil
}
