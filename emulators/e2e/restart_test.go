package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

func startIn(t *testing.T, data string, flags ...string) *running {
	t.Helper()
	r, err := start(data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

// assertPlays streams a track, and decrypts and decodes what comes.
func (r *running) assertPlays(t *testing.T, track string) (keyID string) {
	t.Helper()
	var s stream
	if err := r.as(t, "PREMIUM").Call(t.Context(), http.MethodGet, "/v1/tracks/"+track+"/stream?format=ogg&quality=96", nil, &s); err != nil {
		t.Fatal(err)
	}
	_, plaintext := s.open(t)
	if !plays(t, write(t, "opened.ogg", plaintext)) {
		t.Errorf("track %s: what was decrypted cannot be played", track)
	}
	return s.Key.Value
}

// awaitExport waits until the snapshot is younger than since.
func awaitExport(t *testing.T, data string, since time.Time) {
	t.Helper()
	file := filepath.Join(data, "spanner.snapshot")
	for deadline := time.Now().Add(10 * time.Second); ; wait(t) {
		if stat, err := os.Stat(file); err == nil && stat.ModTime().After(since) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was exported in 10 s")
		}
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	file := fixture(t, "2", "title=Kept")

	first := startIn(t, data)
	label := first.as(t, "LABEL")
	ctx := within(t, 2*time.Minute)
	target, err := label.Upload(ctx, file, client.Announcement{Filename: "kept.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	done := follow(ctx, t, label, target.ID)
	if done.Status != ingest.Playable {
		t.Fatalf("upload = %+v", done)
	}
	key := first.assertPlays(t, done.TrackID)
	token := first.env(t)["SEGUE_TOKEN_FREE"]
	// The second is cut while it is being made: it goes on after the restart.
	cut, err := label.Upload(ctx, fixture(t, "20", "title=Cut"), client.Announcement{Filename: "cut.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.stop(); err != nil {
		t.Fatalf("Ctrl-C: %v\n%s", err, first.log())
	}

	second := startIn(t, data, "--export-every", "300ms")
	if again := second.assertPlays(t, done.TrackID); again != key {
		t.Errorf("the key was %s and is %s", key, again)
	}
	old := &client.Client{BaseURL: second.url, HTTP: http.DefaultClient, Token: func() (string, error) { return token, nil }}
	if err := old.Call(ctx, http.MethodGet, "/v1/tracks/"+done.TrackID, nil, nil); err != nil {
		t.Errorf("a token from before the restart: %v", err)
	}
	// Once all is done nothing changes any more, and nothing is exported.
	atWork := time.Now()
	resumed := follow(ctx, t, second.as(t, "LABEL"), cut.ID)
	if resumed.Status != ingest.Playable {
		t.Fatalf("the upload that was cut = %+v\n%s", resumed, second.log())
	}
	awaitExport(t, data, atWork)
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-second.ended

	third := startIn(t, data)
	// The last export may have begun before the track was playable: then its
	// upload goes on once more, to the same track.
	if s := follow(ctx, t, third.as(t, "LABEL"), cut.ID); s.Status != ingest.Playable || s.TrackID != resumed.TrackID {
		t.Fatalf("the upload that was cut, after the kill = %+v", s)
	}
	for _, track := range []string{done.TrackID, resumed.TrackID} {
		third.assertPlays(t, track)
	}
	if s := follow(ctx, t, third.as(t, "LABEL"), target.ID); s.Status != ingest.Playable || s.TrackID != done.TrackID {
		t.Errorf("the first upload = %+v", s)
	}
	same, err := third.as(t, "LABEL").Upload(ctx, file, client.Announcement{Filename: "again.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	if s := follow(ctx, t, third.as(t, "LABEL"), same.ID); s.Status != ingest.Duplicate || s.DuplicateOf != done.TrackID {
		t.Errorf("the same file again = %+v, want a duplicate of %s", s, done.TrackID)
	}
	if err := third.stop(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

func TestADamagedSnapshotIsRefusedByName(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	first := startIn(t, data)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "spanner.snapshot")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = start(data)
	if want := fmt.Sprintf("snapshot %s: it is corrupt or cut short", file); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a start: %v", err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(b) {
		t.Error("the start that failed changed the snapshot")
	}
}
