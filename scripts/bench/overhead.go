package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Functions that the rows name.
const (
	analyze   = "ingest-analyze"
	transcode = "ingest-transcode"
)

// trip is one way of a track through the ingest: the CPU seconds of each
// function, those of the same commands by hand, and of the encodings alone.
type trip struct {
	ours      map[string]cpu
	hand      map[string]float64
	encodings float64
}

// sums leave analysis out: it computes by itself, within a budget of its own.
func (t trip) sums() (ours cpu, hand float64) {
	for name := range t.ours {
		if name != analyze {
			ours, hand = ours.plus(t.ours[name]), hand+t.hand[name]
		}
	}
	return ours, hand
}

// String tells where the time goes.
func (t trip) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.ours)) {
		parts = append(parts, fmt.Sprintf("%s %.2f s and its ffmpeg %.2f s, by hand %.2f s", name, t.ours[name].self, t.ours[name].children, t.hand[name]))
	}
	return strings.Join(parts, "; ")
}

// overheadRows compare the functions with the very commands that they ran.
func overheadRows(w *world) []row {
	var recorded *recorder
	begin := sync.OnceValue(func() (err error) {
		recorded, err = record(filepath.Join(w.dir, "record"))
		return err
	})
	trips := &repetitions[trip]{run: func(ctx context.Context, _ int) (trip, error) {
		if err := w.open(ctx); err != nil {
			return trip{}, err
		}
		if err := begin(); err != nil {
			return trip{}, err
		}
		return w.trip(ctx, recorded)
	}}
	figure := func(value func(trip) sample) func(context.Context, int) (sample, error) {
		return func(ctx context.Context, k int) (sample, error) {
			t, err := trips.get(ctx, k)
			if err != nil {
				return sample{}, err
			}
			return value(t), nil
		}
	}
	rows := []row{{
		name: "ingest.overhead", unit: "%", budget: atMost(5),
		how: "CPU of probe, transcode ×6 and publish (download, seal, upload, rows and events too) over that of their ffmpeg and ffprobe commands by hand, after each event; 3 min FLAC",
		measure: figure(func(t trip) sample {
			ours, hand := t.sums()
			return sample{over(ours.total(), hand), t.String()}
		}),
	}, {
		name: "ingest.own-cpu", unit: "%", budget: atMost(5),
		how: "CPU of our process alone over that of the ffmpeg and ffprobe that it ran, in the same run: the steadier half of the overhead",
		measure: figure(func(t trip) sample {
			ours, _ := t.sums()
			return sample{100 * ours.self / ours.children, fmt.Sprintf("%.2f s over %.2f s", ours.self, ours.children)}
		}),
	}, {
		name: "ingest.over-encodings", unit: "%",
		how: "the same CPU over that of the six encodings alone",
		measure: figure(func(t trip) sample {
			ours, _ := t.sums()
			return sample{over(ours.total(), t.encodings), fmt.Sprintf("%.2f s over %.2f s", ours.total(), t.encodings)}
		}),
	}, {
		name: "ingest.cpu-per-minute", unit: "s/min",
		how: "CPU of the whole ingest, all functions, for a minute of audio",
		measure: figure(func(t trip) sample {
			ours, _ := t.sums()
			return sample{value: ours.plus(t.ours[analyze]).total() / (trackSeconds / 60)}
		}),
	}}
	if _, exists := w.manifest.Function(analyze); exists {
		rows = append(rows, row{
			name: "analysis.cpu", unit: "s/s", budget: atMost(0.03),
			how:     "CPU of analyze, its ffmpeg too, for a second of audio; 3 min FLAC",
			measure: figure(func(t trip) sample { return sample{value: t.ours[analyze].total() / trackSeconds} }),
		})
	}
	return rows
}

// warm lets all that happens once a process happen: clients connect, programs
// come into the page cache.
func (w *world) warm(ctx context.Context) error {
	if w.warmed {
		return nil
	}
	file, err := w.flac(ctx, 1, 10)
	if err != nil {
		return err
	}
	u, first, err := w.announce(ctx, file)
	if err != nil {
		return err
	}
	if err := w.drive(ctx, first, w.here); err != nil {
		return err
	}
	_, err = w.playable(ctx, u.ID)
	w.warmed = err == nil
	return err
}

func (w *world) trip(ctx context.Context, r *recorder) (trip, error) {
	t := trip{ours: map[string]cpu{}, hand: map[string]float64{}}
	if err := w.warm(ctx); err != nil {
		return t, err
	}
	file, err := w.flac(ctx, 1, trackSeconds)
	if err != nil {
		return t, err
	}
	u, first, err := w.announce(ctx, file)
	if err != nil {
		return t, err
	}
	if _, err := r.take(); err != nil {
		return t, err
	}
	err = w.drive(ctx, first, func(ctx context.Context, d delivery) error {
		before, err := usedCPU()
		if err != nil {
			return err
		}
		if err := w.here(ctx, d); err != nil {
			return err
		}
		after, err := usedCPU()
		if err != nil {
			return err
		}
		t.ours[d.function] = t.ours[d.function].plus(after.minus(before))
		// At once, while the machine is as busy as it was.
		commands, err := r.take()
		if err != nil {
			return err
		}
		seconds, err := r.byHand(ctx, filepath.Join(w.dir, "hand"), file, commands)
		if err != nil {
			return err
		}
		for i, c := range commands {
			t.hand[d.function] += seconds[i]
			if d.function == transcode && c.program == "ffmpeg" {
				t.encodings += seconds[i]
			}
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if _, err := w.playable(ctx, u.ID); err != nil {
		return t, err
	}
	if t.encodings == 0 {
		return t, errors.New("no encoding was recorded: the functions ran ffmpeg by another way than PATH")
	}
	return t, nil
}
