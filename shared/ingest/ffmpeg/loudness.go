package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Loudness is what EBU R 128 measures of a whole file, to a tenth. A value that
// there is none of is negative infinity.
type Loudness struct {
	Integrated float64 // LUFS; none: nothing passes the gate of -70 LUFS, or it is shorter than 0.4 s
	Range      float64 // LU
	TruePeak   float64 // dBTP; none: digital silence
}

// Where players are to bring all music, and how far its peaks may go there.
const (
	targetLoudness = -14 // LUFS
	targetPeak     = -1  // dBTP
)

// Gain is what brings the file to -14 LUFS, in dB, but lifts its true peak no
// higher than -1 dBTP. What has no loudness stays as it is.
func (l Loudness) Gain() float64 {
	if math.IsInf(l.Integrated, 0) {
		return 0
	}
	return min(targetLoudness-l.Integrated, targetPeak-l.TruePeak)
}

// MeasureLoudness decodes a file once, into what its renditions are made of
// (44.1 kHz stereo, which is what is heard), measures that, and writes it to pcm
// as interleaved 32-bit floats, little-endian.
func MeasureLoudness(ctx context.Context, file string, pcm io.Writer) (Loudness, error) {
	return standard().loudness(ctx, file, pcm)
}

func (l limits) loudness(ctx context.Context, file string, pcm io.Writer) (Loudness, error) {
	// The summary is a message of level info; each message names its level, so
	// that an error is found among them. Frames are logged below info.
	args := []string{
		"-nostdin", "-hide_banner", "-nostats", "-v", "level+info", "-xerror",
		// A change of sample rate or channels on the way would begin a new
		// measurement, of the rest alone. Encode fails on such files too.
		"-reinit_filter", "0",
	}
	args = append(args, input(file)...)
	args = append(args, "-map", "0:a:0",
		// As Encode, and in its sample format: with integers, a downmix is quieter.
		"-af", fmt.Sprintf("asettb=1/sr,asetpts=N,aformat=sample_fmts=fltp:sample_rates=%d:channel_layouts=stereo,ebur128=framelog=verbose:peak=true", SampleRate),
		"-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
	messages, err := l.run(ctx, pcm, "ffmpeg", args...)
	if bad := new(ErrFile); errors.As(err, &bad) && messages != "" {
		if strings.Contains(messages, "Changing audio frame properties on the fly") {
			return Loudness{}, &ErrFile{"its sample rate or channels change on the way"}
		}
		return Loudness{}, &ErrFile{lastError(messages)}
	}
	if err != nil {
		return Loudness{}, err
	}
	return parseSummary(messages)
}

// lastError is the last message of an error, without its level.
func lastError(messages string) string {
	var found tail
	for line := range strings.Lines(messages) {
		if severe.MatchString(line) {
			found.b.Reset()
			found.b.WriteString(severe.ReplaceAllString(line, ""))
		}
	}
	if found.b.Len() == 0 {
		return "ffmpeg does not say why"
	}
	return found.lastLine()
}

var summary = regexp.MustCompile(`^\s+Integrated loudness:\s+I: +(\S+) LUFS\s[^\0]*?\sLRA: +(\S+) LU\s[^\0]*?\sPeak: +(\S+) dBFS`)

// parseSummary reads ebur128's summary. It is the last thing said of its kind:
// the file's tags, which may say anything, are shown before.
func parseSummary(messages string) (Loudness, error) {
	at := strings.LastIndex(messages, "Summary:")
	if at < 0 {
		return Loudness{}, errors.New("ffmpeg gave no summary of the loudness")
	}
	found := summary.FindStringSubmatch(messages[at+len("Summary:"):])
	if found == nil {
		return Loudness{}, fmt.Errorf("ffmpeg's summary of the loudness is not understood: %.200q", messages[at:])
	}
	var values [3]float64
	for i := range values {
		v, err := strconv.ParseFloat(found[i+1], 64)
		if err != nil {
			return Loudness{}, fmt.Errorf("ffmpeg's summary of the loudness: %w", err)
		}
		if math.IsNaN(v) || math.IsInf(v, 1) {
			return Loudness{}, &ErrFile{"its samples are not all finite numbers"}
		}
		values[i] = v
	}
	l := Loudness{Integrated: values[0], Range: values[1], TruePeak: values[2]}
	const gate = -70 // what ebur128 says when nothing passed it
	if l.Integrated <= gate {
		l.Integrated = math.Inf(-1)
	}
	return l, nil
}
