package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
)

// walk is what each function took on the way of one track.
type walk struct {
	peaks   map[string]peaks
	busy    map[string]time.Duration // with events and uploads
	slowest *eventpb.TranscodeRequested
}

// memoryRows set the peak of each function beside what the manifest gives it.
func memoryRows(w *world) []row {
	walks := &repetitions[walk]{run: func(ctx context.Context, _ int) (walk, error) {
		if err := w.open(ctx); err != nil {
			return walk{}, err
		}
		file, err := w.flac(ctx, 1, trackSeconds)
		if err != nil {
			return walk{}, err
		}
		return w.walkOf(ctx, file)
	}}
	w.walks = walks
	var rows []row
	for _, f := range w.manifest.Functions {
		rows = append(rows, memoryRow(f, "memory.", "3 min FLAC", walks))
	}
	return rows
}

func memoryRow(f functions.Function, prefix, what string, walks *repetitions[walk]) row {
	bytes, err := parseMemory(f.Memory)
	return row{
		name: prefix + f.Name, unit: "MiB", budget: atMost(float64(bytes) / mebi), once: true,
		how: "peak of its own process, polled: VmHWM, that of its ffmpeg, and its /tmp; " + what,
		measure: func(ctx context.Context, k int) (sample, error) {
			if err != nil {
				return sample{}, err
			}
			walk, err := walks.get(ctx, k)
			if err != nil {
				return sample{}, err
			}
			p, worked := walk.peaks[f.Name]
			if !worked {
				return sample{}, fmt.Errorf("%s had nothing to do: scripts/bench knows no work for it", f.Name)
			}
			return sample{float64(p.total()) / mebi, p.String()}, p.err
		},
	}
}

// parseMemory reads 256Mi and 8Gi.
func parseMemory(s string) (int64, error) {
	for suffix, unit := range map[string]int64{"Mi": 1 << 20, "Gi": 1 << 30} {
		if digits, found := strings.CutSuffix(s, suffix); found {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err == nil && n > 0 {
				return n * unit, nil
			}
		}
	}
	return 0, fmt.Errorf("memory %q is not such as 256Mi or 8Gi", s)
}

// walkOf takes a track from its announcement to a press of play.
func (w *world) walkOf(ctx context.Context, file string) (all walk, err error) {
	h := &hosts{w: w, dir: filepath.Join(w.dir, "hosts")}
	defer func() { err = errors.Join(err, h.finish(ctx, &all)) }()
	token, err := w.issuer.AccessToken(identity.Claims{
		Subject: "bench", ClientID: "bench", Scopes: []string{"catalog-write", "streaming"}, Product: "premium", Market: "SE",
	})
	if err != nil {
		return all, err
	}
	upload, first, err := h.upload(ctx, file, token)
	if err != nil {
		return all, err
	}
	var longest time.Duration
	err = w.drive(ctx, first, func(ctx context.Context, d delivery) error {
		start := time.Now()
		err := h.deliver(ctx, d)
		if took := time.Since(start); d.function == transcode && took > longest {
			m := &eventpb.TranscodeRequested{}
			longest, all.slowest = took, m
			err = errors.Join(err, proto.Unmarshal(d.data, m))
		}
		return err
	})
	if err != nil {
		return all, err
	}
	u, err := w.playable(ctx, upload)
	if err != nil {
		return all, err
	}
	// As if no delivery of the first event had got done.
	for _, d := range w.dead(first[0]) {
		if err := h.deliver(ctx, d); err != nil {
			return all, err
		}
	}
	return all, h.serve(ctx, u.ID, u.TrackID, token)
}

// finish stops the processes and keeps what was seen of them.
func (h *hosts) finish(ctx context.Context, all *walk) error {
	all.peaks, all.busy = map[string]peaks{}, map[string]time.Duration{}
	err := h.stop(ctx)
	for name, f := range h.running {
		all.peaks[name], all.busy[name] = f.peaks, f.busy
	}
	return err
}

// upload announces the file to the function and sends it where that says.
func (h *hosts) upload(ctx context.Context, file, token string) (id string, first []delivery, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	body := fmt.Appendf(nil, `{"filename": "bench.flac", "content_type": "audio/flac", "size": %d}`, stat.Size())
	b, err := h.call(ctx, "ingest-upload", http.MethodPost, "/v1/uploads", token, body)
	if err != nil {
		return "", nil, err
	}
	var answer struct {
		ID        string            `json:"id"`
		UploadURL string            `json:"upload_url"`
		Method    string            `json:"method"`
		Headers   map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return "", nil, fmt.Errorf("answer to the announcement: %w", err)
	}
	if _, err := request(ctx, answer.Method, answer.UploadURL, answer.Headers, f); err != nil {
		return "", nil, err
	}
	object := ingest.Prefix + answer.ID
	attrs, err := h.w.uploads.Object(object).Attrs(ctx)
	if err != nil {
		return "", nil, err
	}
	return answer.ID, h.w.finalized(object, attrs.Generation), nil
}

// serve calls the functions that no event reaches: HTTP functions as often at
// once as an instance takes requests, scheduled ones once.
func (h *hosts) serve(ctx context.Context, upload, track, token string) error {
	for _, f := range h.w.manifest.Functions {
		var err error
		switch {
		case f.Name == "ingest-upload":
			err = h.together(ctx, f.Concurrency, f.Name, "/v1/uploads/"+upload, token)
		case f.Name == "catalog-browse":
			err = h.together(ctx, f.Concurrency, f.Name, "/v1/tracks/"+track, token)
		case f.Name == "playback-stream":
			err = h.together(ctx, f.Concurrency, f.Name, "/v1/tracks/"+track+"/stream?quality=320", token)
		case f.Kind == functions.Scheduled:
			_, err = h.call(ctx, f.Name, http.MethodPost, "/", token, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
