package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// deaths are the points at which a function's process dies, one after the other
// in whatever order its requests pass them.
type deaths map[string][]string

// What happens to a picture, to a sound, and to a sound whose file is gone.
var (
	ofPicture = deaths{
		"ingest-upload": {"upload:recorded", "upload:addressed"},
		"ingest-probe":  {"probe:picture-stored"},
	}
	ofSound = deaths{
		"ingest-probe":     {"probe:cover-stored", "probe:examined", "outbox:committed"},
		"ops-relay":        {"relay:read", "relay:published"},
		"ingest-transcode": {"transcode:leased", "transcode:data-written", "transcode:hashes-written", "transcode:objects-written", "outbox:committed", "outbox:published"},
		"ingest-analyze":   {"analyze:measured", "outbox:committed", "outbox:published"},
		"ingest-publish":   {"outbox:committed", "publish:committed", "discard:objects-removed"},
	}
	// An attempt that a process died of is redone; one that was complete is not.
	redone = 4
	// Whichever of them finds first that the file is gone records it.
	ofFailure = deaths{"ingest-probe": {"outbox:committed"}, "ingest-transcode": {"failure:recorded"}, "ingest-analyze": {"failure:recorded"}}
)

// Points that no upload passes, and the tests in which a process dies there.
var elsewhere = map[string]string{
	"cleanup:claimed":   "functions/ingest/cleanup/attempts_test.go",
	"cleanup:page-done": "functions/ingest/cleanup/attempts_test.go",
	"dlq:published":     "scripts/dlq/dlq_test.go",
	"rewrap:batch":      "shared/playback/rotation/rewrap_test.go",
}

// Every crash point of the code is one at which a process dies in a test: none
// that is added can be forgotten.
func TestEveryCrashPointHasItsDeath(t *testing.T) {
	t.Parallel()
	planned := map[string]bool{}
	for _, d := range []deaths{ofPicture, ofSound, ofFailure} {
		for _, points := range d {
			for _, p := range points {
				planned[p] = true
			}
		}
	}
	for p, file := range elsewhere {
		if b, err := os.ReadFile(filepath.Join("..", "..", file)); err == nil && strings.Contains(string(b), p) {
			planned[p] = true
		}
	}
	want, got := pointsInCode(t), slices.Sorted(maps.Keys(planned))
	if !slices.Equal(got, want) {
		t.Errorf("processes die at %q; the code has %q", got, want)
	}
}

var pointCall = regexp.MustCompile(`\bcrash\.Point\(("([^"]*)")?`)

func pointsInCode(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, root := range []string{"functions", "shared", "emulators", "scripts"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range pointCall.FindAllStringSubmatch(string(b), -1) {
				if m[2] == "" {
					t.Errorf("%s: a crash point whose name is no literal", path)
				}
				found[m[2]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// dying is a harness whose functions run in processes of their own.
type dying struct {
	*running
	label  *client.Client
	deaths map[string]int // so far, that were wanted
}

// One picture and one sound on their way through functions that die at each of
// their points once, as Cloud Run's do: in processes of their own, while the
// others go on. In the end all is as if none had died.
func TestDeathsAtEveryPoint(t *testing.T) {
	t.Parallel()
	functions := map[string]bool{}
	for _, d := range []deaths{ofPicture, ofSound} {
		for f := range d {
			functions[f] = true
		}
	}
	r := startIn(t, filepath.Join(t.TempDir(), "data"), "--separate", strings.Join(slices.Sorted(maps.Keys(functions)), ","))
	d := &dying{running: r, label: r.as(t, "LABEL"), deaths: map[string]int{}}

	d.arm(t, ofPicture)
	picture := write(t, "cover.jpg", imagestest.JPEG(t, 300, 300))
	if s := d.upload(t, picture, client.Announcement{Filename: "cover.jpg", ContentType: "image/jpeg"}); s.Status != ingest.Stored {
		t.Fatalf("the picture = %+v", s)
	}
	d.died(t, ofPicture)

	d.arm(t, ofSound)
	sound := ingesttest.Audio(t, "sine=523:d=1", "a.flac")
	covered := filepath.Join(t.TempDir(), "covered.flac")
	ffmpeg(t, nil, "-v", "error", "-nostdin", "-i", sound, "-i", picture, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", "-metadata", "title=Nine Lives", "-metadata", "artist=The Cat", "-metadata", "album=Cats", covered)
	s := d.upload(t, covered, client.Announcement{Filename: "covered.flac", ContentType: "audio/flac"})
	if s.Status != ingest.Playable || len(s.Warnings) > 0 {
		t.Fatalf("the sound = %+v\n%s", s, r.log())
	}
	d.died(t, ofSound)
	d.once(t, s.TrackID)

	d.fails(t)
	d.noOrphans(t)
}

// arm makes the processes end at their points.
func (d *dying) arm(t *testing.T, all deaths) {
	t.Helper()
	for function, points := range all {
		for _, p := range points {
			if resp, body := fetch(t, http.MethodPost, d.url+"/_emulators/functions/"+function+"/crash?at="+p, nil); resp.status != http.StatusNoContent {
				t.Fatalf("arm %s: %d: %s", p, resp.status, body)
			}
		}
	}
}

func (d *dying) functions(t *testing.T) map[string]cloudrun.Status {
	t.Helper()
	var all []cloudrun.Status
	if err := d.label.Call(t.Context(), http.MethodGet, "/_emulators/functions", nil, &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]cloudrun.Status{}
	for _, s := range all {
		byName[s.Name] = s
	}
	return byName
}

// upload sends a file and follows it to its end, while the relay runs more often
// than once a minute.
func (d *dying) upload(t *testing.T, file string, a client.Announcement) client.Status {
	t.Helper()
	ctx := within(t, 3*time.Minute)
	target, err := d.label.Upload(ctx, file, a)
	if err != nil {
		t.Fatal(err)
	}
	for {
		s, err := d.label.Status(ctx, target.ID)
		if err != nil {
			t.Fatalf("%v\n%s", err, d.log())
		}
		if s.Status != ingest.Waiting && s.Status != ingest.Processing {
			return s
		}
		if s.Status == ingest.Processing {
			d.relay(t)
		}
		wait(t)
	}
}

// relay runs as in two minutes: what is in the outbox is then old enough.
func (d *dying) relay(t *testing.T) (status int) {
	t.Helper()
	at := time.Now().Add(2 * time.Minute).UTC().Format(time.RFC3339)
	resp, _ := fetch(t, http.MethodPost, d.url+"/_emulators/schedule/ops-relay?at="+url.QueryEscape(at), nil)
	return resp.status
}

// died waits until each function died at each of its points, and holds how often
// against what the harness counted.
func (d *dying) died(t *testing.T, all deaths) {
	t.Helper()
	for function, points := range all {
		d.deaths[function] += len(points)
		deadline := time.Now().Add(time.Minute)
		for len(d.functions(t)[function].Armed) > 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%s passed not all its points: %+v\n%s", function, d.functions(t)[function], d.log())
			}
			d.relay(t) // if it is the relay that lives yet
			wait(t)
		}
		// Between the point and the end that the harness sees lies a moment.
		for f := d.functions(t)[function]; ; f = d.functions(t)[function] {
			if f.LastExit != nil && *f.LastExit == crash.Status && f.Starts-d.deaths[function] <= 1 && f.Starts-d.deaths[function] >= 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s was to die %d times with %d: %+v", function, d.deaths[function], crash.Status, f)
			}
			wait(t)
		}
		for _, p := range points {
			if line := fmt.Sprintf("%-13s crash at %s\n", function, p); !strings.Contains(d.log(), line) {
				t.Errorf("%s did not die at %s", function, p)
			}
		}
	}
}

// once looks for what is doubled, and plays all that was made.
func (d *dying) once(t *testing.T, track string) {
	t.Helper()
	db := d.database(t)
	for deadline := time.Now().Add(time.Minute); ; wait(t) {
		attempts, err := ingest.Attempts(t.Context(), db.Single(), track)
		if err != nil {
			t.Fatal(err)
		}
		if len(attempts) == 6 && d.relay(t) == http.StatusOK && count(t, db, "SELECT COUNT(*) FROM Outbox") == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d attempts are left\n%s", len(attempts), d.log())
		}
	}
	for sql, want := range map[string]int64{
		"SELECT COUNT(*) FROM Tracks": 1, "SELECT COUNT(*) FROM Albums": 1, "SELECT COUNT(*) FROM Artists": 1,
		"SELECT COUNT(*) FROM AlbumTracks": 1, "SELECT COUNT(*) FROM TrackAnalyses": 1, "SELECT COUNT(*) FROM Renditions": 6,
		// The two whose address was never told, the picture and the sound.
		"SELECT COUNT(*) FROM Uploads": 4,
	} {
		if n := count(t, db, sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}
	removed := map[string]bool{}
	for _, m := range regexp.MustCompile(`"message":"attempt removed".*"attempt":"([^"]+)"`).FindAllStringSubmatch(d.log(), -1) {
		removed[m[1]] = true
	}
	if len(removed) != redone {
		t.Errorf("%d renditions were made anew, want %d", len(removed), redone)
	}
	keys := map[string]bool{}
	for _, format := range []string{"ogg", "aac"} {
		for _, quality := range []int{96, 160, 320} {
			var s stream
			if err := d.as(t, "PREMIUM").Call(t.Context(), http.MethodGet, fmt.Sprintf("/v1/tracks/%s/stream?format=%s&quality=%d", track, format, quality), nil, &s); err != nil {
				t.Fatal(err)
			}
			if _, plain := s.open(t); !plays(t, write(t, "opened", plain)) {
				t.Errorf("%s/%d: what was decrypted cannot be played", format, quality)
			}
			keys[s.Key.Value] = true
		}
	}
	if len(keys) != 6 {
		t.Errorf("six renditions have %d keys", len(keys))
	}
}

// fails sends a sound whose file vanishes before it is worked on, with a death
// between the record of that and the removal of what was made.
func (d *dying) fails(t *testing.T) {
	t.Helper()
	d.arm(t, ofFailure)
	ctx := within(t, 2*time.Minute)
	target, err := d.label.Upload(ctx, ingesttest.Audio(t, "sine=587:d=1", "a.flac"), client.Announcement{Filename: "gone.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	d.died(t, deaths{"ingest-probe": ofFailure["ingest-probe"]})
	env := d.env(t)
	object := env["SEGUE_STORAGE_URL"] + "/storage/v1/b/" + env["SEGUE_UPLOADS_BUCKET"] + "/o/" + url.PathEscape(ingest.Prefix+target.ID)
	if resp, body := fetch(t, http.MethodDelete, object, http.Header{"Authorization": {"Bearer " + env["SEGUE_STORAGE_BEARER"]}}); resp.status >= 300 {
		t.Fatalf("delete the file: %d: %s", resp.status, body)
	}
	d.relay(t)
	s := follow(ctx, t, d.label, target.ID)
	if s.Status != ingest.Failed || !strings.Contains(s.Reason, "the uploaded file is gone") {
		t.Errorf("the sound without a file = %+v", s)
	}
	db := d.database(t)
	for deadline := time.Now().Add(time.Minute); ; wait(t) {
		now, ended := d.functions(t), d.deaths["ingest-transcode"]+d.deaths["ingest-analyze"]
		armed := len(now["ingest-transcode"].Armed) + len(now["ingest-analyze"].Armed)
		started := now["ingest-transcode"].Starts + now["ingest-analyze"].Starts - 2
		if armed < 2 && started == ended+2-armed && count(t, db, "SELECT COUNT(*) FROM RenditionAttempts WHERE State = 'leased'") == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not die as it recorded the failure: %+v, %+v\n%s", now["ingest-transcode"], now["ingest-analyze"], d.log())
		}
	}
}
