package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// longRows are of the longest file that a label may send.
func longRows(w *world) []row {
	walks := &repetitions[walk]{run: func(ctx context.Context, _ int) (walk, error) {
		if err := w.open(ctx); err != nil {
			return walk{}, err
		}
		return w.longWalk(ctx)
	}}
	var rows []row
	for _, name := range []string{"ingest-probe", transcode, analyze} {
		f, exists := w.manifest.Function(name)
		if !exists {
			continue
		}
		what := "2 h FLAC"
		if name == transcode {
			what += ", the rendition that takes longest"
		}
		memory := memoryRow(f, "long.memory.", what, walks)
		memory.long = true
		rows = append(rows, memory, row{
			name: "long.time." + name, unit: "s", budget: atMost(ffmpeg.TimeLimit.Seconds()), long: true, once: true,
			how: "wall time of the whole function; " + what,
			measure: func(ctx context.Context, k int) (sample, error) {
				walk, err := walks.get(ctx, k)
				if err != nil {
					return sample{}, err
				}
				return sample{value: walk.busy[name].Seconds()}, nil
			},
		})
	}
	return rows
}

// longWalk sends the file through probe, one rendition, and analyze.
func (w *world) longWalk(ctx context.Context) (all walk, err error) {
	short, err := w.walks.get(ctx, 0) // tells which rendition is the slowest
	if err != nil {
		return all, err
	}
	file, err := w.longFLAC(ctx)
	if err != nil {
		return all, err
	}
	h := &hosts{w: w, dir: filepath.Join(w.dir, "long-hosts")}
	defer func() { err = errors.Join(err, h.finish(ctx, &all)) }()
	u, queue, err := w.announce(ctx, file)
	if err != nil {
		return all, err
	}
	for _, d := range queue {
		fmt.Fprintf(w.progress, "bench: %s of 2 h\n", d.function)
		if err := h.deliver(ctx, d); err != nil {
			return all, fmt.Errorf("%s on %s: %w", d.function, d.topic, err)
		}
	}
	if u, err = ingest.Read(ctx, w.spanner.Single(), u.ID); err != nil {
		return all, err
	}
	if u.Status != ingest.Processing {
		return all, fmt.Errorf("the upload of 2 h is %s, not processing: %s", u.Status, u.Reason)
	}
	asked, err := w.pull(ctx)
	if err != nil {
		return all, err
	}
	for _, d := range asked {
		if d.topic == event.Topic(short.slowest) {
			m := &eventpb.TranscodeRequested{}
			if err := proto.Unmarshal(d.data, m); err != nil {
				return all, err
			}
			if m.GetFormat() != short.slowest.GetFormat() || m.GetBitrate() != short.slowest.GetBitrate() {
				continue
			}
		}
		fmt.Fprintf(w.progress, "bench: %s of 2 h\n", d.function)
		if err := h.deliver(ctx, d); err != nil {
			return all, fmt.Errorf("%s on %s: %w", d.function, d.topic, err)
		}
	}
	// What these published is of a track that will never be whole.
	_, err = w.pull(ctx)
	return all, err
}

// longFLAC repeats the short file up to the longest that is accepted. It is
// encoded anew: copied, its header would still tell the short length.
func (w *world) longFLAC(ctx context.Context) (string, error) {
	short, err := w.flac(ctx, 1, trackSeconds)
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.dir, "long.flac")
	var messages tail
	cmd := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-y",
		"-stream_loop", fmt.Sprint(int(ingest.MaxDuration.Seconds())/trackSeconds-1), "-i", short, "-c:a", "flac", "-compression_level", "2", path)
	cmd.Stderr = &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("make a long file: %w: %s", err, &messages)
	}
	stat, err := os.Stat(path)
	if err == nil && stat.Size() > ingest.MaxSize {
		err = fmt.Errorf("the long file has %d bytes, more than the %d that are accepted", stat.Size(), ingest.MaxSize)
	}
	return path, err
}
