package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// playbackRows are the packages' own benchmarks, beside what the design says of
// a press of play.
func playbackRows(w *world) []row {
	sets := &repetitions[map[string]map[string]float64]{run: func(ctx context.Context, _ int) (map[string]map[string]float64, error) {
		return w.goBench(ctx, "./shared/playback", "./functions/playback/stream")
	}}
	bench := func(name, unit, benchmark, metric string, factor float64, b *budget) row {
		return row{
			name: "playback." + name, unit: unit, budget: b, how: "go test -bench " + benchmark,
			measure: func(ctx context.Context, k int) (sample, error) {
				all, err := sets.get(ctx, k)
				if err != nil {
					return sample{}, err
				}
				v, found := all[benchmark][metric]
				if !found {
					return sample{}, fmt.Errorf("%s told no %s", benchmark, metric)
				}
				return sample{value: v * factor}, nil
			},
		}
	}
	return append([]row{
		bench("seal", "MB/s", "BenchmarkSeal/aes-128-ctr", "MB/s", 1, nil),
		bench("decrypt", "MB/s", "BenchmarkDecryptRange", "MB/s", 1, atLeast(1000)),
		bench("unwrap", "µs", "BenchmarkUnwrap", "ns/op", 1e-3, atMost(1)),
		bench("sign-cdn", "µs", "BenchmarkCloudCDNSign", "ns/op", 1e-3, nil),
		bench("stream-allocs", "1/op", "BenchmarkStream", "allocs/op", 1, nil),
	}, slices.Concat(costRows(w), requestRows(w))...)
}

// goBench runs the benchmarks of packages and returns their metrics.
func (w *world) goBench(ctx context.Context, packages ...string) (map[string]map[string]float64, error) {
	args := append([]string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "300ms"}, packages...)
	var messages tail
	cmd := exec.CommandContext(ctx, cmp.Or(w.getenv("GO"), "go"), args...)
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		if why := lastLines(string(out), 5); why != "" {
			err = fmt.Errorf("%w: %s", err, why)
		}
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, &messages)
	}
	return parseBench(string(out))
}

// parseBench reads the lines of https://go.dev/design/14313-benchmark-format,
// names without the number of processors behind them.
func parseBench(text string) (map[string]map[string]float64, error) {
	all := map[string]map[string]float64{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		all[name] = map[string]float64{}
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark line %q: %w", strings.TrimSpace(line), err)
			}
			all[name][fields[i+1]] = v
		}
	}
	if len(all) == 0 {
		return nil, errors.New("go test -bench told of no benchmark")
	}
	return all, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
