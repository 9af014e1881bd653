package ffmpeg_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// A picture of 100 MB is not held: the limit's bytes are, and its length is told.
//
// Not parallel: what the process allocates is counted, and tests that run beside it
// would be counted too.
func TestHugePicture(t *testing.T) {
	const size, limit = 100_000_000, 1 << 20
	path := filepath.Join(t.TempDir(), "a.mp3")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := imagestest.JPEG(t, 100, 100)
	if _, err := f.Write(imagestest.APIC(append(head, make([]byte, size-len(head))...), "image/jpeg")); err != nil {
		t.Fatal(err)
	}
	sound, err := os.Open(ingesttest.Audio(t, "sine=440:d=1", "-id3v2_version", "0", "a.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	defer sound.Close()
	if _, err := io.Copy(f, sound); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	picture, n, err := ffmpeg.Picture(t.Context(), path, limit)
	runtime.ReadMemStats(&after)
	if err != nil || n != size || len(picture) != limit || !bytes.HasPrefix(picture, head) {
		t.Errorf("%d of %d bytes, %v", len(picture), n, err)
	}
	if held := after.TotalAlloc - before.TotalAlloc; held > size/5 {
		t.Errorf("%d bytes were allocated", held)
	}
}

func TestWebPIsDeterministic(t *testing.T) {
	t.Parallel()
	rgb := bytes.Repeat([]byte{10, 200, 30}, 9*7)
	first, err := ffmpeg.WebP(t.Context(), rgb, 9, 7)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ffmpeg.WebP(t.Context(), rgb, 9, 7)
	if err != nil || !bytes.Equal(first, second) || !bytes.HasPrefix(first, []byte("RIFF")) {
		t.Errorf("%d and %d bytes, %v", len(first), len(second), err)
	}
	// Too few pixels are our mistake, not a file's.
	if _, err := ffmpeg.WebP(t.Context(), rgb[:20], 9, 7); err == nil {
		t.Error("pixels that lack are encoded")
	}
}
