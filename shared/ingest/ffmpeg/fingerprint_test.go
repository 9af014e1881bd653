package ffmpeg_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// Items come every 1,365 samples at 11,025 Hz, the first after 2.6 s, whatever
// the file's rate and channels are; and no more of them than of two minutes.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lavfi string
		args  []string
		items int
	}{
		{"anoisesrc=d=1", []string{"a.flac"}, 0},
		{"anoisesrc=d=3", []string{"a.flac"}, 3},
		{"anoisesrc=d=8:r=48000", []string{"-c:a", "libopus", "a.opus"}, 43},
		{"anoisesrc=d=8:r=96000", []string{"a.flac"}, 43},
		{"anoisesrc=d=8:r=44100", []string{"-ac", "6", "a.flac"}, 43},
		{"anoisesrc=d=8:r=8000", []string{"a.flac"}, 43},
		{"anullsrc=d=8:r=1000", []string{"a.flac"}, 43},
		{"anoisesrc=d=130:r=11025", []string{"a.wav"}, 948},
	} {
		file := ingesttest.Audio(t, tt.lavfi, tt.args...)
		_, raw, err := ffmpeg.Count(t.Context(), file)
		if err != nil || len(raw) != 4*tt.items {
			t.Errorf("%s %v: %d bytes, want %d items: %v", tt.lavfi, tt.args, len(raw), tt.items, err)
		}
		if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
			t.Errorf("%v are left, %v", left, err)
		}
	}
}

// An ffmpeg without the muxer is our mistake: no file is refused for it. The
// stand-in is a program that says what such an ffmpeg does.
func TestFingerprintWithoutMuxer(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"[NULL @ 0x1] Requested output format 'chromaprint' is not a suitable output format\" >&2\necho 'x: Invalid argument' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	_, _, err := ffmpeg.Count(t.Context(), filepath.Join(dir, "a.flac"))
	if bad := new(ffmpeg.ErrFile); err == nil || errors.As(err, &bad) {
		t.Errorf("Count = %v, want an error that is not the file's", err)
	}
}
