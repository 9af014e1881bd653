package ffmpeg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// encode makes a rendition and measures it.
func encode(t *testing.T, in string, r playback.Rendition) (string, ffmpeg.Encoded) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if err := ffmpeg.Encode(t.Context(), in, out, r); err != nil {
		t.Fatal(err)
	}
	e, err := ffmpeg.Measure(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	return out, e
}

const (
	frame  = 4    // bytes of a sample of both channels
	aacLen = 1024 // samples of an AAC packet
)

// click is silence with a click after half a second, of n samples.
func click(rate, n string) string {
	return "aevalsrc='if(between(t,0.5,0.5005),0.9,0)':s=" + rate + ":d=20,atrim=end_sample=" + n
}

// peak is where the loudest sample is.
func peak(pcm []byte) (at int64) {
	loudest := 0
	for i := 0; i+1 < len(pcm); i += 2 {
		v := int(int16(binary.LittleEndian.Uint16(pcm[i:])))
		if v = max(v, -v); v > loudest {
			loudest, at = v, int64(i/frame)
		}
	}
	return at
}

// Whatever comes in, each rendition plays as many samples as its row will say,
// the first of them where it belongs.
func TestRenditions(t *testing.T) {
	t.Parallel()
	// Vorbis at 320 is the pickiest of sources.
	some := []playback.Rendition{{Format: playback.Ogg, Bitrate: playback.High}, {Format: playback.AAC, Bitrate: playback.Low}}
	for _, source := range []struct {
		name, file string
		total      int64
		renditions []playback.Rendition
	}{
		{"mono at 8 kHz", ingesttest.Audio(t, click("8000", "19997"), "-ac", "1", "a.flac"), 110234, some},
		{"stereo at 44.1 kHz", ingesttest.Audio(t, click("44100", "99991"), "-ac", "2", "a.flac"), 99991, playback.Renditions()},
		{"stereo at 96 kHz", ingesttest.Audio(t, click("96000", "200001"), "-ac", "2", "a.wav"), 91876, some},
		{"5.1 at 48 kHz", ingesttest.Audio(t, click("48000", "120001"), "-ac", "6", "a.flac"), 110251, some},
		// A length at which a quotient of floating-point numbers is a sample short.
		{"rounding", ingesttest.Audio(t, click("44100", "399998"), "-ac", "1", "a.flac"), 399998, some},
		{"timestamps that step back", stepBack(t), 132300, some},
	} {
		for _, r := range source.renditions {
			t.Run(source.name+" "+r.String(), func(t *testing.T) {
				t.Parallel()
				check(t, source.file, source.total, r)
			})
		}
	}
}

// Mono fills its bitrate as stereo does: an encoder that spends all of it on one
// of mid and side cannot, and takes six times as long to find out.
func TestMonoAtTheHighestBitrate(t *testing.T) {
	t.Parallel()
	source := ingesttest.Audio(t, "anoisesrc=d=5:c=pink:r=44100:a=0.5", "-ac", "1", "a.flac")
	_, e := encode(t, source, playback.Rendition{Format: playback.AAC, Bitrate: playback.High})
	if kbps := e.Size * 8 / 5 / 1000; kbps < 300 {
		t.Errorf("%d kbit/s", kbps)
	}
}

func check(t *testing.T, source string, total int64, r playback.Rendition) {
	t.Helper()
	info, err := ffmpeg.Inspect(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := ffmpeg.Count(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if got := ffmpeg.TotalSamples(n, info.SampleRate); got != total {
		t.Errorf("%d samples at %d Hz make %d, want %d", n, info.SampleRate, got, total)
	}
	first, e := encode(t, source, r)
	if size := int64(len(read(t, first))); e.Size != size || e.HeadSize != size {
		t.Errorf("size %d and head %d of a short file of %d bytes", e.Size, e.HeadSize, size)
	}
	pcm := ingesttest.Decode(t, first)
	heard := int64(len(pcm))/frame - e.Delay
	switch {
	case r.Format == playback.Ogg && (e.Delay != 0 || e.Samples != total || heard != total):
		t.Errorf("delay %d, announces %d samples and plays %d; want %d", e.Delay, e.Samples, heard, total)
	case r.Format == playback.AAC && (e.Delay != aacLen || heard < total || heard >= total+aacLen):
		t.Errorf("delay %d, plays %d samples; want %d and padding to a packet", e.Delay, heard, total)
	case r.Format == playback.AAC && e.Samples != total && e.Samples != total+e.Delay:
		t.Errorf("announces %d samples, want %d, with the delay or without", e.Samples, total)
	}
	if at := peak(pcm) - e.Delay; strings.HasPrefix(t.Name(), "TestRenditions/timestamps") {
		return
	} else if at < 22040 || at > 22090 {
		t.Errorf("the click is heard at sample %d, want one within 22050 and 22072", at)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stepBack is an Ogg file of 3 s with pages whose time is earlier than that of
// the page before.
func stepBack(t *testing.T) string {
	t.Helper()
	file := ingesttest.Audio(t, "anoisesrc=d=3", "-c:a", "libvorbis", "-page_duration", "200000", "a.ogg")
	b := read(t, file)
	at := pages(b)
	for _, page := range at[6:9] {
		granule := b[page+6 : page+14]
		binary.LittleEndian.PutUint64(granule, binary.LittleEndian.Uint64(granule)-20000)
	}
	if err := os.WriteFile(file, fixOgg(b), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The head alone plays its 30 seconds, and not many more.
func TestHead(t *testing.T) {
	t.Parallel()
	source := ingesttest.Audio(t, "sine=440:d=33,tremolo=f=3:d=0.9", "-ac", "2", "a.flac")
	// The bitrate changes what an Ogg page holds, but not the fragments of AAC.
	for _, r := range playback.Renditions()[:4] {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			file, e := encode(t, source, r)
			if e.HeadSize >= e.Size {
				t.Fatalf("the head of %d bytes is the whole file", e.Size)
			}
			head := write(t, "head", read(t, file)[:e.HeadSize])
			samples := int64(len(ingesttest.Decode(t, head)))/frame - e.Delay
			if samples < 30*ffmpeg.SampleRate || samples > 32*ffmpeg.SampleRate {
				t.Errorf("the head plays %.3f s", float64(samples)/ffmpeg.SampleRate)
			}
		})
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	t.Parallel()
	source := ingesttest.Audio(t, "anoisesrc=d=1", "-ac", "1", "a.flac")
	for _, r := range playback.Renditions() {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			first, _ := encode(t, source, r)
			second, _ := encode(t, source, r)
			if !bytes.Equal(read(t, first), read(t, second)) {
				t.Error("the same source made two different files")
			}
		})
	}
}

// What the source says of itself stays out: titles, chapters, covers.
func TestRenditionsAreBare(t *testing.T) {
	t.Parallel()
	tags := write(t, "tags", []byte(";FFMETADATA1\ntitle=SECRET\nartist=SECRET\n"+
		"[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=SECRET\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=SECRET\n"))
	cover := ingesttest.Audio(t, "testsrc=s=64x64", "-frames:v", "1", "cover.png")
	source := ingesttest.FFmpeg(t, "-f", "lavfi", "-i", "sine=440:d=1", "-i", cover, "-i", tags,
		"-map", "0:a", "-map", "1:v", "-map_metadata", "2", "-map_chapters", "2", "-c:v", "copy", "a.mp3")
	if !bytes.Contains(shown(t, source), []byte("SECRET")) {
		t.Fatal("the source has nothing to hide")
	}
	for _, r := range []playback.Rendition{{Format: playback.Ogg, Bitrate: playback.Low}, {Format: playback.AAC, Bitrate: playback.Low}} {
		file, _ := encode(t, source, r)
		out := shown(t, file)
		if bytes.Contains(out, []byte("SECRET")) || bytes.Contains(out, []byte("chapter|")) || bytes.Count(out, []byte("stream|")) != 1 {
			t.Errorf("%s: %s", r, out)
		}
	}
}

func shown(t *testing.T, file string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_chapters", "-show_streams", "-show_format", "-of", "compact", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	err := ffmpeg.Encode(t.Context(), write(t, "upload", []byte("garbage")), out, playback.Renditions()[0])
	refused(t, out, err, "the file: ")
	bad := new(ffmpeg.ErrFile)
	sound := ingesttest.Audio(t, "sine=440:d=1", "a.flac")
	if err := ffmpeg.Encode(t.Context(), sound, out, playback.Rendition{Format: "wma", Bitrate: 96}); err == nil || errors.As(err, &bad) {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := ffmpeg.Measure(t.Context(), ingesttest.Audio(t, "sine=440:d=1", "-ar", "48000", "a.ogg")); err == nil || errors.As(err, &bad) {
		t.Errorf("a rendition of another sample rate: %v", err)
	}
}
