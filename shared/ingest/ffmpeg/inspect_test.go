package ffmpeg_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestInspectAndCount(t *testing.T) {
	t.Parallel()
	const seconds = "2.5"
	for _, tt := range []struct {
		file      string
		encoder   []string
		container string
		codec     string
		rate      int64
		channels  int
		samples   int64 // exact
	}{
		{"a.flac", []string{"-c:a", "flac", "-ar", "96000"}, "flac", "flac", 96000, 2, 240000},
		{"a.wav", []string{"-c:a", "pcm_s24le", "-ac", "1"}, "wav", "pcm_s24le", 44100, 1, 110250},
		{"a.mp3", []string{"-c:a", "libmp3lame"}, "mp3", "mp3", 44100, 2, 110250},
		{"low.mp3", []string{"-c:a", "libmp3lame", "-ar", "8000", "-ac", "1"}, "mp3", "mp3", 8000, 1, 20000},
		{"a.ogg", []string{"-c:a", "libvorbis"}, "ogg", "vorbis", 44100, 2, 110250},
		{"a.opus", []string{"-c:a", "libopus", "-ar", "48000"}, "ogg", "opus", 48000, 2, 120000},
		// The decoder drops the priming of AAC, but not the padding of its last frame.
		{"a.m4a", []string{"-c:a", "aac"}, "mov,mp4,m4a,3gp,3g2,mj2", "aac", 44100, 2, 110592},
		{"alac.m4a", []string{"-c:a", "alac"}, "mov,mp4,m4a,3gp,3g2,mj2", "alac", 44100, 2, 110250},
		{"surround.flac", []string{"-c:a", "flac", "-ac", "6"}, "flac", "flac", 44100, 6, 110250},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-metadata", "title=A Title", "-metadata", "artist=Åse"}, tt.encoder...)
			if filepath.Ext(tt.file) == ".ogg" {
				args = append(args, "-metadata:s:a", "genre=on the stream")
			}
			file := ingesttest.Audio(t, "sine=440:d="+seconds+",aformat=channel_layouts=stereo", append(args, tt.file)...)
			info, err := ffmpeg.Inspect(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			if info.Container != tt.container || info.Codec != tt.codec || info.SampleRate != tt.rate || info.Channels != tt.channels {
				t.Errorf("got %+v", info)
			}
			frames := 2 * 1152 * time.Second / time.Duration(tt.rate) // of the longest, an MP3's
			if off := info.Duration - 2500*time.Millisecond; off < 0 || off > frames {
				t.Errorf("duration %s, want 2.5 s and two frames at most", info.Duration)
			}
			if tt.container != "wav" && info.Tags["artist"] != "Åse" || info.Tags["title"] != "A Title" {
				t.Errorf("tags %q", info.Tags)
			}
			if filepath.Ext(tt.file) == ".ogg" && info.Tags["genre"] != "on the stream" {
				t.Errorf("tags %q lack the stream's", info.Tags)
			}
			if n, _, err := ffmpeg.Count(t.Context(), file); n != tt.samples || err != nil {
				t.Errorf("%d samples, %v; want %d", n, err, tt.samples)
			}
		})
	}
}

// An MP3 without a frame count has a duration by guess, which says nothing of
// what was cut off.
func TestGuessedDurationIsNone(t *testing.T) {
	t.Parallel()
	file := ingesttest.Audio(t, "sine=440:d=2", "-write_xing", "0", "-id3v2_version", "0", "a.mp3")
	info, err := ffmpeg.Inspect(t.Context(), file)
	if err != nil || info.Duration != 0 {
		t.Errorf("duration %s, %v", info.Duration, err)
	}
}

// Tags that a database would refuse: they are patched into the file, since
// ffmpeg does not write them.
func TestTagsAreText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, raw, want string }{
		{"NUL inside", "ab\x00cd", "ab"}, // as C strings end
		{"NUL first", "\x00abcd", ""},
		{"not UTF-8", "ab\xff\xfed", "ab\uFFFD\uFFFDd"},
		{"spaces around", "  a  ", "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"a.flac", "a.ogg"} {
				file := ingesttest.Audio(t, "sine=440:d=0.1", "-metadata", "title=PLACE", "-metadata", "album=An Album", "-fflags", "+bitexact", name)
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				patched := bytes.Replace(content, []byte("PLACE"), []byte(tt.raw), 1)
				if name == "a.ogg" {
					patched = fixOgg(patched)
				}
				if bytes.Equal(patched, content) {
					t.Fatal("the file has no such tag to patch")
				}
				if err := os.WriteFile(file, patched, 0o600); err != nil {
					t.Fatal(err)
				}
				info, err := ffmpeg.Inspect(t.Context(), file)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Tags["title"]; got != tt.want || info.Tags["album"] != "An Album" {
					t.Errorf("%s: tags %q, want title %q", name, info.Tags, tt.want)
				}
			}
		})
	}
}
