package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type probed struct {
	Streams []struct {
		Tags map[string]string `json:"tags"`
	} `json:"streams"`
	Format struct {
		Duration string            `json:"duration"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
}

func ffprobe(ctx context.Context, file string) (p probed, err error) {
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-of", "json", "-show_entries", "format=duration:format_tags:stream_tags", file).Output()
	if err == nil {
		err = json.Unmarshal(out, &p)
	}
	if err != nil {
		return p, fmt.Errorf("ffprobe %s: %w", filepath.Base(file), err)
	}
	return p, nil
}

// readTags gives a file's tags by their lower-case keys.
func readTags(ctx context.Context, file string) (map[string]string, error) {
	p, err := ffprobe(ctx, file)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	add := func(from map[string]string) {
		for k, v := range from {
			tags[strings.ToLower(k)] = strings.TrimSpace(v)
		}
	}
	for _, s := range p.Streams {
		add(s.Tags)
	}
	add(p.Format.Tags)
	return tags, nil
}

// length is what the container says, or none.
func length(ctx context.Context, file string) time.Duration {
	p, err := ffprobe(ctx, file)
	if err != nil {
		return 0
	}
	seconds, err := strconv.ParseFloat(p.Format.Duration, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
