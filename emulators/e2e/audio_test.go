package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// fixture makes a FLAC of two rising tones over soft noise: a signal that fits
// itself at one delay only.
func fixture(t *testing.T, seconds string, tags ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fixture.flac")
	sound := "aevalsrc='0.3*sin(2*PI*(200*t+60*t*t))+0.05*(random(0)-0.5)|0.3*sin(2*PI*(300*t+45*t*t))+0.05*(random(1)-0.5)':s=44100:d=" + seconds
	args := []string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", sound, "-sample_fmt", "s16"}
	for _, tag := range tags {
		args = append(args, "-metadata", tag)
	}
	ffmpeg(t, nil, append(args, file)...)
	return file
}

func ffmpeg(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", args...)
	var out, messages bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %v: %v: %s", args, err, messages.String())
	}
	return out.Bytes()
}

// decode gives the left channel.
func decode(t *testing.T, file string) []float64 {
	t.Helper()
	raw := ffmpeg(t, nil, "-v", "error", "-nostdin", "-i", file, "-map", "0:a:0", "-ac", "2", "-ar", "44100", "-f", "s16le", "pipe:1")
	samples := make([]float64, len(raw)/4)
	for i := range samples {
		samples[i] = float64(int16(binary.LittleEndian.Uint16(raw[4*i:])))
	}
	return samples
}

// correlation is Pearson's, of a and b at equal indexes.
func correlation(a, b []float64) float64 {
	n := float64(min(len(a), len(b)))
	var sa, sb, aa, bb, ab float64
	for i := range int(n) {
		x, y := a[i], b[i]
		sa, sb, aa, bb, ab = sa+x, sb+y, aa+x*x, bb+y*y, ab+x*y
	}
	return (n*ab - sa*sb) / math.Sqrt((n*aa-sa*sa)*(n*bb-sb*sb))
}

type probe struct {
	Streams []struct {
		Codec string `json:"codec_name"`
		Rate  string `json:"sample_rate"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

func ffprobe(t *testing.T, file string) (p probe, ok bool) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-of", "json",
		"-show_entries", "stream=codec_name,sample_rate:format=duration", file).Output()
	if err != nil || json.Unmarshal(out, &p) != nil || len(p.Streams) == 0 {
		return p, false
	}
	return p, true
}

func (p probe) seconds(t *testing.T) float64 {
	t.Helper()
	s, err := strconv.ParseFloat(p.Format.Duration, 64)
	if err != nil {
		t.Fatalf("duration %q", p.Format.Duration)
	}
	return s
}

// plays says whether ffmpeg gets any sound out of a file.
func plays(t *testing.T, file string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-xerror", "-i", file, "-f", "s16le", "pipe:1").Output()
	return err == nil && len(out) > 0
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
