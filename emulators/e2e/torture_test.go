package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// lavfi makes a file of generated sound; the name says of which kind.
func lavfi(t *testing.T, name, source string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	ffmpeg(t, nil, append(append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source}, args...), file)...)
	return file
}

// What is odd but sound can be played, with the name that it has.
func TestOddFilesArePlayable(t *testing.T) {
	t.Parallel()
	shiftJIS, err := japanese.ShiftJIS.NewEncoder().String("さくら")
	if err != nil {
		t.Fatal(err)
	}
	video := filepath.Join(t.TempDir(), "video.mp4")
	ffmpeg(t, nil, "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc=s=160x120:r=10:d=2", "-f", "lavfi", "-i", "sine=510:d=2",
		"-c:v", "mpeg4", "-c:a", "aac", "-shortest", video)
	tone := func(hz int) string { return fmt.Sprintf("sine=%d:r=44100:d=1.5", hz) }
	for _, test := range []struct {
		file, name, contentType, title string
	}{
		{lavfi(t, "a.wav", tone(301), "-ac", "1"), "mono.wav", "audio/wav", "mono"},
		{lavfi(t, "a.flac", tone(302), "-ar", "8000", "-ac", "1"), "شوق.flac", "audio/flac", "شوق"},
		{lavfi(t, "a.flac", tone(303), "-ar", "192000"), "🎷 jazz 👩‍👩‍👧.flac", "audio/flac", "🎷 jazz 👩‍👩‍👧"},
		{lavfi(t, "a.flac", tone(304), "-ac", "6", "-metadata", "title=../../../x"), "../../etc/surround.flac", "audio/flac", "../../../x"},
		{video, "video.m4a", "audio/mp4", "video"},
		{tagged(t, lavfi(t, "a.mp3", tone(305), "-map_metadata", "-1", "-id3v2_version", "0"), 0, shiftJIS), "sjis.mp3", "audio/mpeg", "さくら"},
		{tagged(t, lavfi(t, "a.mp3", tone(306), "-map_metadata", "-1", "-id3v2_version", "0"), 3, "Nul\x00Byte"), "nul.mp3", "audio/mpeg", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			track := playable(t, test.file, test.name, test.contentType, ingest.Metadata{})
			got := trackOf(t, track, "")
			if strings.Contains(got.Name, "\x00") || got.Name == "" || test.title != "" && got.Name != test.title {
				t.Errorf("its title is %q, want %q", got.Name, test.title)
			}
			s := streamOf(t, "PREMIUM", track, "?format=ogg&quality=320")
			if _, plain := s.open(t); !plays(t, write(t, "opened.ogg", plain)) || s.GainDb == nil {
				t.Errorf("its stream %+v cannot be played", s)
			}
		})
	}
}

// tagged puts an ID3v2.3 title before an MP3, in an encoding that is only said.
// https://id3.org/id3v2.3.0
func tagged(t *testing.T, file string, encoding byte, title string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte{encoding}, title...)
	frame := append(binary.BigEndian.AppendUint32([]byte("TIT2"), uint32(len(text))), 0, 0)
	frame = append(frame, text...)
	header := append([]byte("ID3\x03\x00\x00\x00\x00"), byte(len(frame)>>7), byte(len(frame)&0x7f))
	return write(t, "tagged.mp3", append(append(header, frame...), content...))
}

// What is too long or too large is refused in words.
func TestFilesBeyondTheLimits(t *testing.T) {
	t.Parallel()
	t.Run("three hours", func(t *testing.T) {
		t.Parallel()
		file := lavfi(t, "long.flac", "anullsrc=r=8000:cl=mono:d=10800")
		if s := upload(t, file, "long.flac", "audio/flac", ingest.Metadata{}); s.Status != ingest.Failed || !strings.Contains(s.Reason, "longer than 2h0m0s") {
			t.Errorf("upload = %+v", s)
		}
	})
	t.Run("1.5 GiB announced", func(t *testing.T) {
		t.Parallel()
		err := segue.as(t, "LABEL").Call(t.Context(), http.MethodPost, "/v1/uploads", client.Announcement{Filename: "a.wav", ContentType: "audio/wav", Size: 3 << 29}, nil)
		if code, _ := status(err); code != http.StatusBadRequest || !strings.Contains(err.Error(), "above the limit of 1073741824 bytes") {
			t.Errorf("announced: %v", err)
		}
	})
	t.Run("1.5 GiB sent", func(t *testing.T) {
		t.Parallel()
		label := segue.as(t, "LABEL")
		var target client.Target
		if err := label.Call(t.Context(), http.MethodPost, "/v1/uploads", client.Announcement{Filename: "a.wav", ContentType: "audio/wav", Size: 1 << 30}, &target); err != nil {
			t.Fatal(err)
		}
		if err := label.Put(within(t, time.Minute), target, io.LimitReader(zeros{}, 3<<29), 3<<29); err == nil {
			t.Error("more was taken than was announced")
		}
		if s, err := label.Status(t.Context(), target.ID); err != nil || s.Status != ingest.Waiting {
			t.Errorf("the upload is %+v, %v", s, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
