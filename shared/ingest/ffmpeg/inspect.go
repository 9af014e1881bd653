package ffmpeg

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Info is what a file says of itself.
type Info struct {
	Container  string
	Codec      string
	SampleRate int64
	Channels   int
	// Duration by the container; 0 where it does not know.
	Duration time.Duration
	// Tags of the container and of its audio stream, keys in lower case.
	Tags map[string]string
}

type probed struct {
	Streams []struct {
		CodecName  string            `json:"codec_name"`
		SampleRate string            `json:"sample_rate"`
		Channels   int               `json:"channels"`
		Duration   string            `json:"duration"`
		Tags       map[string]string `json:"tags"`
		// Of the files that we made:
		StartPTS   int64 `json:"start_pts"`
		DurationTS int64 `json:"duration_ts"`
	} `json:"streams"`
	Format struct {
		Name     string            `json:"format_name"`
		Duration string            `json:"duration"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
	Packets []struct {
		PTS int64  `json:"pts"`
		Pos string `json:"pos"`
	} `json:"packets"`
}

// Inspect reads a file's headers.
func Inspect(ctx context.Context, file string) (Info, error) {
	p, messages, err := probe(ctx, append(input(file), "-select_streams", "a:0", "-show_streams", "-show_format"))
	if err != nil {
		return Info{}, err
	}
	if len(p.Streams) == 0 {
		return Info{}, &ErrFile{"it has no audio stream"}
	}
	s := p.Streams[0]
	info := Info{Container: p.Format.Name, Codec: s.CodecName, Channels: s.Channels, Tags: map[string]string{}}
	info.SampleRate, err = strconv.ParseInt(s.SampleRate, 10, 64)
	if err != nil || info.SampleRate <= 0 || s.Channels <= 0 || s.CodecName == "" {
		return Info{}, &ErrFile{"its audio stream has no codec, sample rate or channels that are known"}
	}
	// Without a frame count, an MP3's duration is guessed from its size.
	if !strings.Contains(messages, "Estimating duration from bitrate") {
		// Of the audio, where it is told: a picture beside it may last longer.
		info.Duration = cmp.Or(seconds(s.Duration), seconds(p.Format.Duration))
	}
	for _, tags := range []map[string]string{p.Format.Tags, s.Tags} {
		for k, v := range tags {
			if v = text(unkeep(v)); v != "" {
				info.Tags[strings.ToLower(text(unkeep(k)))] = v
			}
		}
	}
	if info.Container == "mp3" {
		if err := id3Tags(file, info.Tags); err != nil {
			return Info{}, err
		}
	}
	return info, nil
}

func probe(ctx context.Context, args []string) (p probed, messages string, err error) {
	var out bytes.Buffer
	messages, err = run(ctx, &out, "ffprobe", append([]string{"-v", "warning", "-of", "json=string_validation=ignore"}, args...)...)
	if err != nil {
		return p, messages, err
	}
	if err := json.Unmarshal(keep(out.Bytes()), &p); err != nil {
		return p, messages, fmt.Errorf("ffprobe's answer: %w", err)
	}
	return p, messages, nil
}

func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > math.MaxInt32 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
