package ffmpeg_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// tone is a 997 Hz sine in both channels, of a level in dBFS.
func tone(level float64) string {
	return fmt.Sprintf("aevalsrc=%[1]g*sin(2*PI*997*t)|%[1]g*sin(2*PI*997*t):s=48000:d=20", math.Pow(10, level/20))
}

// The levels are those of EBU Tech 3341: a stereo tone of -23 dBFS has -23 LUFS.
func TestLoudness(t *testing.T) {
	t.Parallel()
	none, any := math.Inf(-1), math.NaN()
	for _, tt := range []struct {
		name, lavfi          string
		args                 []string
		loudness, peak, gain float64 // NaN: whatever it is
		within               float64
		samples              int64
	}{
		{"-23 dBFS", tone(-23), []string{"a.flac"}, -23, -23, 9, 0.1, 882000},
		{"-33 dBFS", tone(-33), []string{"a.flac"}, -33, -33, 19, 0.1, 882000},
		{"loud", tone(-3), []string{"a.flac"}, -3, -3, -11, 0.1, 882000},
		{"24 bits at 192 kHz", tone(-23), []string{"-ar", "192000", "-c:a", "pcm_s24le", "a.wav"}, -23, -23, 9, 0.1, 882000},
		{"8 kHz", tone(-23), []string{"-ar", "8000", "a.flac"}, -23, -23, 9, 0.2, 882000},
		// What a listener hears of one channel is both, each 3 dB lower.
		{"mono", tone(-20), []string{"-ac", "1", "a.flac"}, -23, -23, 9, 0.2, 882000},
		{"5.1, of which the centre sounds", "aevalsrc=0|0|0.1*sin(2*PI*997*t)|0|0|0:c=5.1:s=48000:d=20", []string{"a.flac"}, -23, -23, 9, 0.2, 882000},
		// A quarter of the sampling frequency, of which each sample lies 3 dB
		// below the top between the samples.
		{"peaks between samples", "aevalsrc=min(t\\,1)*0.5*sin(PI*n/2+PI/4)|0:s=44100:d=5", []string{"-c:a", "pcm_f32le", "a.wav"}, any, -6, any, 0.2, 220500},
		{"lifted no higher than its peak allows", "aevalsrc=0.5*sin(2*PI*997*t)*if(lt(mod(t\\,1)\\,0.02)\\,0.5-0.5*cos(100*PI*t)\\,0)|0:s=44100:d=20", []string{"a.flac"}, any, -6, 5, 0.2, 882000},
		{"silence", "anullsrc=d=3", []string{"a.flac"}, none, none, 0, 0, 132300},
		{"too quiet", tone(-80), []string{"-c:a", "pcm_s24le", "a.wav"}, none, -80, 0, 0.1, 882000},
		{"too short", "sine=440:d=0.2", []string{"-ac", "2", "a.flac"}, none, -21, 0, 0.3, 8820},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			l, err := ffmpeg.MeasureLoudness(t.Context(), ingesttest.Audio(t, tt.lavfi, tt.args...), writes(func(p []byte) { n += len(p) }))
			if err != nil {
				t.Fatal(err)
			}
			off := func(got, want float64) bool {
				return got != want && !math.IsNaN(want) && !(math.Abs(got-want) <= tt.within+1e-9)
			}
			if off(l.Integrated, tt.loudness) || off(l.TruePeak, tt.peak) || off(l.Gain(), tt.gain) || l.Range < 0 {
				t.Errorf("got %+v, gain %g", l, l.Gain())
			}
			if int64(n) != tt.samples*8 {
				t.Errorf("%d bytes of PCM, want %d samples", n, tt.samples)
			}
		})
	}
}

// What ends in a refusal, and its words; nothing of our own is told.
func TestLoudnessRefuses(t *testing.T) {
	t.Parallel()
	flac := ingesttest.Audio(t, "anoisesrc=d=2", "a.flac")
	for _, tt := range []struct{ name, file, words string }{
		{"text", write(t, "upload", []byte("Lorem ipsum dolor. ")), "the file: Invalid data found when processing input"},
		{"truncated", cut(t, flac, 60), ""},
		{"changes on the way", changes(t), "its sample rate or channels change on the way"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ffmpeg.MeasureLoudness(t.Context(), tt.file, io.Discard)
			refused(t, tt.file, err, tt.words)
		})
	}
}

// changes is a chain of two Ogg files, of another sample rate each.
func changes(t *testing.T) string {
	t.Helper()
	var all []byte
	for _, rate := range []string{"44100", "48000"} {
		b, err := os.ReadFile(ingesttest.Audio(t, "sine=440:d=1", "-ar", rate, "-c:a", "libvorbis", "a.ogg"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return write(t, "upload", all)
}

// Tags may say what they like.
func TestLoudnessOfDeceivingTags(t *testing.T) {
	t.Parallel()
	lie := "x] [info] Summary:\n\n  Integrated loudness:\n    I:         -5.0 LUFS\n    LRA:         9.0 LU\n    Peak:        9.0 dBFS\n"
	file := ingesttest.Audio(t, tone(-23), "-metadata", "title="+lie, "-metadata", "comment=[error] "+lie, "a.flac")
	l, err := ffmpeg.MeasureLoudness(t.Context(), file, io.Discard)
	if err != nil || math.Abs(l.Integrated+23) > 0.1+1e-9 {
		t.Errorf("got %+v, %v", l, err)
	}
}

// A file of floats can hold what is no number. One that holds nothing else is no
// silence but broken: it is refused, and not asked for again.
func TestLoudnessOfNoNumbers(t *testing.T) {
	t.Parallel()
	pcm := make([]byte, 4*44100)
	for i := range 44100 {
		binary.LittleEndian.PutUint32(pcm[4*i:], math.Float32bits(float32(math.NaN())))
	}
	raw := write(t, "raw", pcm)
	file := filepath.Join(filepath.Dir(raw), "a.wav")
	file = ingesttest.FFmpeg(t, "-f", "f32le", "-ar", "44100", "-ac", "1", "-i", raw, "-c:a", "pcm_f32le", filepath.Base(file))
	_, err := ffmpeg.MeasureLoudness(t.Context(), file, io.Discard)
	refused(t, file, err, "its samples are not all finite numbers")
}

// What is not the file's fault may succeed another time.
func TestLoudnessIsCut(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	// It is cut in the middle of the audio.
	_, err := ffmpeg.MeasureLoudness(ctx, ingesttest.Audio(t, "anullsrc=d=60", "a.flac"), writes(func([]byte) { cancel() }))
	if bad := new(ffmpeg.ErrFile); errors.As(err, &bad) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// writes calls a function with each write.
type writes func([]byte)

func (f writes) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
