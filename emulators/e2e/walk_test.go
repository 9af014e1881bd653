package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The README's walk is run as it is written, by a shell that stops at the first
// thing that fails.
func TestTheReadmesWalkWorksAsWritten(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, walk, ok := strings.Cut(string(readme), "## A first walk\n")
	if !ok {
		t.Fatal("the README has no first walk")
	}
	walk, _, _ = strings.Cut(walk, "\n## ")
	script := "set -euo pipefail\n"
	for _, block := range shellBlock.FindAllStringSubmatch(walk, -1) {
		script += block[1]
	}
	dir := t.TempDir()
	// Its listener is its own: the walk takes the playing away from other devices.
	env, err := os.ReadFile(filepath.Join(segue.data, "env"))
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "export SEGUE_TOKEN_PREMIUM='"+segue.newUser(t, playback.Premium).token+"'\n"...)
	if err := os.Mkdir(filepath.Join(dir, ".segue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".segue", "env"), env, 0o600); err != nil {
		t.Fatal(err)
	}
	track := playable(t, fixture(t, "3", "title=A Demo", "copyright=CC BY-SA 3.0"), "demo.flac", "audio/flac", ingest.Metadata{})
	cmd := exec.CommandContext(within(t, 4*time.Minute), "bash", "-c", script)
	cmd.Dir = dir
	// This harness has no demo; the upload above stands in for its first track.
	cmd.Env = append(os.Environ(), "SEGUE_DEMO_TRACKS="+track)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{`"name": "A Demo"`, `"text": "CC BY-SA 3.0"`, "Audio: vorbis, 44100 Hz", "premium_required", `"reason": "displaced"`, `"status":"playable"`, `"name": "Concert Pitch"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the walk does not show %s:\n%s", want, out)
		}
	}
}
