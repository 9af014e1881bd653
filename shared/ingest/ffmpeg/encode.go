package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/segue-audio/segue/shared/playback"
)

// SampleRate of every rendition, in Hz; all are stereo.
const SampleRate = 44100

// Encode makes a rendition of a file. The output is the same, bit for bit, for
// the same input and ffmpeg, and carries no metadata.
func Encode(ctx context.Context, in, out string, r playback.Rendition) error {
	args := append([]string{"-nostdin", "-v", "error", "-xerror", "-y"}, input(in)...)
	args = append(args, "-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact",
		// Time runs with the samples: files with a gap or a step back in their
		// timestamps, as some encoders leave them, would be refused by the muxer.
		// In units of samples, since a quotient rounds to a sample too few.
		"-af", "asettb=1/sr,asetpts=N", "-ac", "2", "-ar", strconv.Itoa(SampleRate), "-b:a", fmt.Sprintf("%dk", r.Bitrate))
	switch r.Format {
	case playback.Ogg:
		args = append(args, "-c:a", "libvorbis", "-f", "ogg", out)
	case playback.AAC:
		// Fragments of 2 s under one index, so that a player can seek and change
		// quality at a fragment. The muxer must seek in its output: no pipe. The
		// edit list that trims the end is in units of the movie's timescale, so
		// that must be samples for it to be exact.
		args = append(args, "-c:a", "aac", "-movflags", "+delay_moov+default_base_moof+global_sidx",
			"-movie_timescale", strconv.Itoa(SampleRate), "-frag_duration", "2000000")
		if r.Bitrate == playback.High {
			// The default coder searches up to six times as long where there are more
			// bits than it needs, so that two hours would take too long, and misses the
			// bitrate; ffmpeg's documentation calls this one better at high bitrates.
			// Of a source that is mono, all bits would go to one of mid and side, more
			// than a channel may have: it would end at 220 kbit/s.
			args = append(args, "-aac_coder", "fast", "-aac_ms", "0")
		}
		args = append(args, "-f", "mp4", out)
	default:
		return fmt.Errorf("format %q is not one that renditions have", r.Format)
	}
	_, err := run(ctx, nil, "ffmpeg", args...)
	return err
}

// TotalSamples is how many samples per channel a rendition plays of a source of
// n samples: the resampler rounds up.
func TotalSamples(n, sampleRate int64) int64 {
	return (n*SampleRate + sampleRate - 1) / sampleRate
}

// Encoded is what a player needs to know of a rendition.
type Encoded struct {
	Size int64
	// Samples that the container announces. Of files of a few fragments it counts
	// the encoder's delay in.
	Samples int64
	Delay   int64 // samples before the first that is heard
	// HeadSize is how many bytes hold the first 30 seconds.
	HeadSize int64
}

const headSeconds = 30

// Measure reads a rendition that Encode made.
func Measure(ctx context.Context, file string) (Encoded, error) {
	stat, err := os.Stat(file)
	if err != nil {
		return Encoded{}, err
	}
	// Beyond the head by more than an Ogg page, which holds a second.
	p, _, err := probe(ctx, append(input(file), "-select_streams", "a:0", "-show_entries",
		"stream=codec_name,sample_rate,start_pts,duration_ts:packet=pts,pos", "-read_intervals", fmt.Sprintf("%%+%d", headSeconds+3)))
	if err != nil {
		return Encoded{}, err
	}
	if len(p.Streams) != 1 || p.Streams[0].SampleRate != strconv.Itoa(SampleRate) || p.Streams[0].DurationTS <= 0 {
		return Encoded{}, errors.New("the encoded file has no audio of the expected sample rate")
	}
	e := Encoded{
		Size: stat.Size(), HeadSize: stat.Size(), Samples: p.Streams[0].DurationTS, Delay: max(-p.Streams[0].StartPTS, 0),
	}
	head, err := headSize(p)
	if head > 0 {
		e.HeadSize = head
	}
	return e, err
}

// headSize is where the head of the probed packets ends, or 0 where they end
// before it. A page of Ogg gives its position to all its packets: the one that
// the first packet after the head lies in also holds the head's last packets.
func headSize(p probed) (int64, error) {
	var page int64 // of the first packet after the head
	for _, packet := range p.Packets {
		if packet.PTS < headSeconds*SampleRate {
			continue
		}
		pos, err := strconv.ParseInt(packet.Pos, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("position %q of a packet: %w", packet.Pos, err)
		}
		if page > 0 && pos > page {
			return pos, nil
		}
		page = max(page, pos)
	}
	return 0, nil
}
