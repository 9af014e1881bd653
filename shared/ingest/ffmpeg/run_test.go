package ffmpeg

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
)

// The cases in which ffmpeg ends badly, but not because of the file.
func TestRunBlamesTheRightOne(t *testing.T) {
	t.Parallel()
	// A stop by signal ends ffmpeg with an exit code of its own.
	const interrupt = `ffmpeg -nostdin -v error -re -f lavfi -i anullsrc -f s16le -flush_packets 1 "$0" & p=$!
until [ -s "$0" ]; do :; done
kill -TERM $p; wait $p`
	for _, tt := range []struct {
		name, script string
		file         bool
		words        string
	}{
		{"stopped by a signal", interrupt, false, "exit status 255"},
		{"killed", "kill -KILL $$", false, "signal: killed"},
		{"no room", "echo 'av_interleaved_write_frame(): No space left on device' >&2; echo last >&2; exit 1", false, "last"},
		{"no threads", "echo 'Error while opening decoder for input stream #0:0 : Resource temporarily unavailable' >&2; exit 1", false, ""},
		{"killed, beside tags that lie", "echo '[info]     title : File too large' >&2; kill -KILL $$", false, ""},
		{"a verdict, beside tags that lie", "echo '[info]     title : No space left on device' >&2; echo '[flac @ 0x5581] [error] bad' >&2; exit 1", true, "[error] bad"},
		{"its verdict", "echo one >&2; echo '[flac @ 0x5581] bad header in file:/tmp/x/upload: really /tmp/y' >&2; exit 1", true, "bad header in the file: really the file"},
		{"many messages", "i=0; while [ $i -lt 3000 ]; do echo frame $i is bad >&2; i=$((i+1)); done; exit 1", true, "frame 2999 is bad"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := run(t.Context(), io.Discard, "sh", "-c", tt.script, filepath.Join(t.TempDir(), "out"))
			bad := new(ErrFile)
			switch {
			case err == nil:
				t.Fatal("got no error")
			case errors.As(err, &bad) != tt.file:
				t.Errorf("got %T %v", err, err)
			case tt.file && err.Error() != tt.words:
				t.Errorf("got %q, want %q", err, tt.words)
			}
		})
	}
	if _, err := run(t.Context(), io.Discard, "no-such-program"); err == nil || errors.As(err, new(*ErrFile)) {
		t.Errorf("a program that is missing: %v", err)
	}
}
