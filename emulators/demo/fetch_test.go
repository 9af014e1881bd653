package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// onlyFFmpeg is a machine without apt.
func onlyFFmpeg(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestGeneratedPiecesStandInWithoutApt(t *testing.T) {
	onlyFFmpeg(t)
	dir := t.TempDir()
	var log bytes.Buffer
	pieces, err := first(t.Context(), dir, &log)
	if err != nil {
		t.Fatal(err)
	}
	if len(pieces) != 3 || !strings.Contains(log.String(), "generated pieces stand in") {
		t.Fatalf("%d pieces; log: %s", len(pieces), &log)
	}
	for _, p := range pieces {
		info, err := ffmpeg.Inspect(t.Context(), p.file)
		if err != nil || info.Codec != "flac" || info.Tags["title"] == "" || !strings.Contains(info.Tags["copyright"], "CC0") {
			t.Errorf("%s: %+v, %v", p.file, info, err)
		}
	}
	// A second start finds them: nothing is made again.
	before, err := os.Stat(pieces[0].file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first(t.Context(), dir, &log); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(pieces[0].file); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the piece was made again: %v", err)
	}
}

// What an earlier start fetched is used as it is: no network is asked.
func TestFetchedMusicIsUsed(t *testing.T) {
	onlyFFmpeg(t)
	dir := t.TempDir()
	all, err := singularity.list(t.Context(), filepath.Join(dir, singularity.pkg))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if err := os.MkdirAll(filepath.Dir(p.file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.file, []byte("music"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	pieces, err := first(t.Context(), dir, &log)
	if err != nil || len(pieces) != 3 || log.Len() > 0 {
		t.Fatalf("pieces %v, %v; log: %s", pieces, err, &log)
	}
	for _, p := range pieces {
		if len(p.metadata.Copyrights) != 1 || !strings.Contains(p.metadata.Copyrights[0], "CC BY-SA 3.0") || !strings.Contains(p.metadata.Copyrights[0], "Max McCracken") {
			t.Errorf("%s goes without its licence and attribution: %+v", p.file, p.metadata)
		}
	}
}
