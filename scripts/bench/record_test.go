package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// TestRecordAndByHand is alone: the recorder changes PATH and TMPDIR.
func TestRecordAndByHand(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH"))
	t.Setenv("TMPDIR", os.Getenv("TMPDIR"))
	source := ingesttest.Audio(t, "sine=d=2", "a.flac")
	r, err := record(filepath.Join(t.TempDir(), "it's here"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.take(); err != nil || got != nil {
		t.Errorf("before any: %v, %v", got, err)
	}
	// As a function does: download, encode, look at what came of it.
	dir, err := os.MkdirTemp("", "work-*")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(dir, r.tmp) {
		t.Fatalf("temporary files are in %s", dir)
	}
	in, out := filepath.Join(dir, "source"), filepath.Join(dir, "out.ogg")
	if err := os.Symlink(source, in); err != nil {
		t.Fatal(err)
	}
	encode := []string{"-v", "error", "-i", "file:" + in, "-vf", "", "-af", "volume=1,\nanull", "-c:a", "libvorbis", out}
	look := []string{"-v", "error", "-i", out}
	var want []command
	for _, c := range []command{{"ffmpeg", encode}, {"ffprobe", look}} {
		if message, err := exec.CommandContext(t.Context(), c.program, c.args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, message)
		}
		want = append(want, c)
	}
	got, err := r.take()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
	if again, err := r.take(); err != nil || again != nil {
		t.Errorf("taken twice: %v, %v", again, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	hand := filepath.Join(t.TempDir(), "hand")
	seconds, err := r.byHand(t.Context(), hand, source, got)
	if err != nil || len(seconds) != 2 || seconds[0] <= 0 {
		t.Errorf("%v, %v", seconds, err)
	}
	if _, err := os.Stat(hand); err == nil {
		t.Error("files of the commands are left")
	}
	if noted, err := r.take(); err != nil || noted != nil {
		t.Errorf("what is run by hand is noted as the functions': %q, %v", noted, err)
	}
	for name, c := range map[string]struct {
		command command
		want    string
	}{
		"another file": {command{"ffmpeg", []string{"-i", "file:/dev/null", "-f", "null", "-"}}, "no file that can be had by hand"},
		"a pipe":       {command{"ffmpeg", []string{"-i", "pipe:0", "-f", "null", "-"}}, "no file that can be had by hand"},
		"a bad option": {command{"ffmpeg", []string{"-i", "file:" + in, "-no-such-option", "x"}}, "no-such-option"},
	} {
		if _, err := r.byHand(t.Context(), hand, source, []command{c.command}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenRecord(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"x\x00ffmpeg\x00", "3\x00ffmpeg\x00a\x00", "-1\x00ffmpeg\x00", "0\x00"} {
		if got, err := parseCommands([]byte(s)); err == nil {
			t.Errorf("%q is %q", s, got)
		}
	}
	got, err := parseCommands([]byte("2\x00ffmpeg\x00\x00b\x000\x00ffprobe\x00"))
	if err != nil || !reflect.DeepEqual(got, []command{{"ffmpeg", []string{"", "b"}}, {"ffprobe", nil}}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMusic(t *testing.T) {
	t.Parallel()
	made := func(seed uint64) []byte {
		var b bytes.Buffer
		if err := music(&b, seed, 4); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	one := made(1)
	if len(one) != 4*sampleRate*4 || !bytes.Equal(one, made(1)) || bytes.Equal(one, made(2)) {
		t.Errorf("%d bytes, or not what the seed makes", len(one))
	}
	clipped, loud, stereo := 0, 0, 0
	for i := 0; i < len(one); i += 4 {
		left, right := int16(uint16(one[i])|uint16(one[i+1])<<8), int16(uint16(one[i+2])|uint16(one[i+3])<<8)
		if left == 32767 || left == -32768 {
			clipped++
		}
		if left > 3000 || left < -3000 {
			loud++
		}
		if left != right {
			stereo++
		}
	}
	if n := len(one) / 4; clipped > 0 || loud < n/10 || stereo < n/2 {
		t.Errorf("of %d samples %d are clipped, %d loud, %d stereo", n, clipped, loud, stereo)
	}
	w := &world{dir: t.TempDir()}
	file, err := w.flac(t.Context(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	mono := ingesttest.FFmpeg(t, "-i", file, "-f", "s16le", "pcm")
	if pcm, err := os.ReadFile(mono); err != nil || !bytes.Equal(pcm, one) {
		t.Errorf("the file is not the music: %d bytes, %v", len(pcm), err)
	}
}

func TestCPUCountsChildren(t *testing.T) { // alone: others would add theirs
	before, err := usedCPU()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=20", "-c:a", "flac", "-f", "null", "-")
	if message, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	after, err := usedCPU()
	used := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err != nil || used <= 0 || after.minus(before).children < 0.99*used {
		t.Errorf("the child took %.3f s, %.3f s were counted (%v)", used, after.minus(before).children, err)
	}
}
