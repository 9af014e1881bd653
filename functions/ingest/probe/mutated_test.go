package probe

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// Containers that a fuzzer's mutations broke are refused in words, or accepted:
// then they can also be encoded, or the encoder says what is wrong.
func TestMutatedContainers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := ingesttest.Audio(t, "anoisesrc=d=2:c=pink", "-metadata", "title=Mutant", "a.flac")
	for i, kind := range [][]string{
		{"-c:a", "flac", "a.flac"}, {"-c:a", "pcm_s16le", "a.wav"}, {"-c:a", "libmp3lame", "a.mp3"}, {"-c:a", "libvorbis", "a.ogg"}, {"-c:a", "aac", "a.m4a"},
	} {
		content, err := os.ReadFile(ingesttest.FFmpeg(t, append([]string{"-i", source}, kind...)...))
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(uint64(i), seed))
			t.Run(fmt.Sprint(kind[2], seed), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), kind[2])
				if err := os.WriteFile(file, mutate(r, content), 0o600); err != nil {
					t.Fatal(err)
				}
				_, n := w.upload(t, ingest.Upload{AllowDuplicate: true}, file)
				u := w.deliver(t, n)
				switch {
				case u.Status == ingest.Failed && u.Reason != "" && !strings.ContainsAny(u.Reason, "\n\x00") && !strings.Contains(u.Reason, os.TempDir()):
				case u.Status == ingest.Processing && u.TrackID != "":
					err := ffmpeg.Encode(t.Context(), file, filepath.Join(t.TempDir(), "out"), playback.Renditions()[0])
					if bad := new(ffmpeg.ErrFile); err != nil && !errors.As(err, &bad) {
						t.Errorf("encode: %v", err)
					}
				default:
					t.Errorf("upload = %+v", u)
				}
				t.Logf("%s: %s", u.Status, u.Reason)
			})
		}
	}
}

// mutate does what fuzzers do: flips bits, overwrites, removes and repeats, most
// of it near the begin, where containers keep what they are.
func mutate(r *rand.Rand, content []byte) []byte {
	b := bytes.Clone(content)
	for range 1 + r.IntN(6) {
		at := r.IntN(len(b))
		if r.IntN(3) > 0 {
			at = r.IntN(min(len(b), 4096))
		}
		n := min(1+r.IntN(64), len(b)-at)
		switch r.IntN(4) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			for i := range n {
				b[at+i] = byte(r.Uint32())
			}
		case 2:
			b = append(b[:at:at], b[at+n:]...)
		case 3:
			b = append(b[:at:at], append(bytes.Clone(b[at:at+n]), b[at:]...)...)
		}
	}
	return b
}
