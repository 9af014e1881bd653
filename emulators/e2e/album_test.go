package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
)

// outcome is a line of segue upload --json.
type outcome struct {
	File        string        `json:"file"`
	Status      ingest.Status `json:"status"`
	Reason      string        `json:"reason"`
	TrackID     string        `json:"track_id"`
	DuplicateOf string        `json:"duplicate_of"`
	Error       string        `json:"error"`
}

// command runs the segue command as a label and reads its lines.
func command(t *testing.T, program, home string, args ...string) (all []outcome) {
	t.Helper()
	env := segue.env(t)
	cmd := exec.CommandContext(within(t, 5*time.Minute), program, args...)
	cmd.Env = append(os.Environ(), "SEGUE_URL="+env["SEGUE_URL"], "SEGUE_TOKEN_LABEL="+env["SEGUE_TOKEN_LABEL"], "HOME="+home, "XDG_CACHE_HOME="+home)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Errorf("segue %q: %v\n%s%s", args, err, out.String(), messages.String())
	}
	for s := bufio.NewScanner(&out); s.Scan(); {
		var o outcome
		if err := json.Unmarshal(s.Bytes(), &o); err != nil {
			t.Errorf("line %q: %v", s.Text(), err)
		}
		all = append(all, o)
	}
	return all
}

// byFour uploads twelve files by four processes at once.
func byFour(t *testing.T, program string, files []string) map[string]outcome {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	all := map[string]outcome{}
	home := t.TempDir()
	for i := range 4 {
		wg.Go(func() {
			lines := command(t, program, home, "upload", "--json", files[i], files[11-i], files[i+4])
			mu.Lock()
			defer mu.Unlock()
			for _, o := range lines {
				all[o.File] = o
			}
		})
	}
	wg.Wait()
	if len(all) != len(files) {
		t.Fatalf("%d outcomes of %d files: %v", len(all), len(files), all)
	}
	return all
}

// Twelve files of one album by four processes at once: one album, one artist,
// twelve tracks in their order. And again: twelve duplicates, nothing new.
func TestAnAlbumByFourProcesses(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "segue")
	if err := build(program, "scripts/segue"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for i := range 12 {
		file := filepath.Join(dir, fmt.Sprintf("%02d.flac", i+1))
		// Each names the artist and the album in another way of writing.
		artist, album := []string{"The Twelve", "THE TWELVE", "the  twelve"}[i%3], []string{"By Four", "by four"}[i%2]
		ffmpeg(t, nil, "-v", "error", "-nostdin", "-f", "lavfi", "-i", fmt.Sprintf("sine=%d:d=1.5", 200+40*i), "-metadata", fmt.Sprintf("title=Part %d", i+1),
			"-metadata", "artist="+artist, "-metadata", "album="+album, "-metadata", fmt.Sprintf("track=%d/12", i+1), file)
		files = append(files, file)
	}
	first := byFour(t, program, files)
	tracks := map[string]int{}
	var album, artist string
	for i, f := range files {
		o := first[f]
		if o.Status != ingest.Playable || o.TrackID == "" {
			t.Fatalf("%s: %+v", f, o)
		}
		got := trackOf(t, o.TrackID, "")
		if i == 0 {
			album, artist = got.Album.ID, got.Artists[0].ID
		}
		if got.Album.ID != album || len(got.Artists) != 1 || got.Artists[0].ID != artist || got.TrackNumber != i+1 || got.Album.TotalTracks != 12 || got.Name != fmt.Sprintf("Part %d", i+1) {
			t.Errorf("track %d is %+v", i+1, got)
		}
		tracks[o.TrackID] = i
	}
	if len(tracks) != 12 {
		t.Errorf("%d tracks of 12 files", len(tracks))
	}
	// A player goes through it in order.
	at := first[files[0]].TrackID
	for i := range 12 {
		s := streamOf(t, "FREE", at, "?context=spotify:album:"+album)
		if i == 11 {
			if s.Next != nil {
				t.Errorf("the last track is followed by %+v", s.Next)
			}
			break
		}
		if s.Next == nil || tracks[s.Next.TrackID] != i+1 {
			t.Fatalf("track %d is followed by %+v", i+1, s.Next)
		}
		at = s.Next.TrackID
	}
	for f, o := range byFour(t, program, files) {
		if o.Status != ingest.Duplicate || o.DuplicateOf != first[f].TrackID {
			t.Errorf("%s again: %+v", f, o)
		}
	}
	if got := trackOf(t, first[files[0]].TrackID, ""); got.Album.TotalTracks != 12 {
		t.Errorf("the album has %d tracks after all", got.Album.TotalTracks)
	}
}
