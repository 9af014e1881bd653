package cleanup

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/functions/ingest/publish"
	"github.com/segue-audio/segue/functions/ingest/transcode"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

var complete time.Time // an attempt without a lease

var ogg = playback.Renditions()[0]

// playable is a track that is published, with its folders.
func (w *world) playable(t *testing.T) (*ingest.Upload, []string) {
	t.Helper()
	u := w.track(t)
	var folders []string
	for _, r := range playback.Renditions() {
		folders = append(folders, ingesttest.Attempt(t, w.Spanner, w.Audio, u, r, complete).Folder)
	}
	w.publish(t, u)
	return u, folders
}

func (w *world) publish(t *testing.T, u *ingest.Upload) {
	t.Helper()
	m := &eventpb.TrackAnalyzed{UploadId: u.ID, TrackId: u.TrackID, Version: 1}
	if err := publish.Publish(t.Context(), m, publish.Deps{Writer: w.writer, Audio: w.Audio, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) fail(t *testing.T, u *ingest.Upload) {
	t.Helper()
	if err := ingest.Fail(t.Context(), w.Spanner, u.ID, u.Generation, "a reason"); err != nil {
		t.Fatal(err)
	}
}

// Which attempts go, a day on, and which stay.
func TestAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	attempt := func(u *ingest.Upload, lease time.Time) string {
		return ingesttest.Attempt(t, w.Spanner, w.Audio, u, ogg, lease).Folder
	}
	played, stay := w.playable(t)
	attempt(played, complete)                                  // a loser that outlived publish
	attempt(played, now)                                       // the same, dead before it saw that
	stay = append(stay, attempt(played, now.Add(2*time.Hour))) // still at work, as of an hour ago
	failed := w.track(t)
	attempt(failed, complete)
	attempt(failed, now)
	w.fail(t, failed)
	going := w.track(t)
	stay = append(stay, attempt(going, complete)) // an operator's replay may go on with it
	attempt(going, now)                           // its retry took another folder
	stay = append(stay, attempt(going, now.Add(2*time.Hour)))

	// Today, nothing is old enough.
	today := w.Deps
	today.Now = time.Now
	if got, err := Clean(t.Context(), today); err != nil || got["attempts"]+got["folders"]+got["unfinished"] != 0 {
		t.Errorf("today: %v, %v", got, err)
	}
	w.clean(t, map[string]int{"attempts": 5})
	objects(t, w.Audio, stay...)
	ingesttest.Rows(t, w.Spanner, map[string]int64{"RenditionAttempts": int64(len(stay)), "Renditions": 6})
	w.clean(t, nil)
	objects(t, w.Audio, stay...)
}

// A folder without any row goes when all in it is a day old.
func TestFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stay := w.playable(t)
	// A rendition is enough to keep its folder, whatever became of its attempt.
	apply(t, w.Spanner, spanner.Delete("RenditionAttempts", spanner.AllKeys()))
	for range 3 {
		folder := "audio/" + id.Random() + "/"
		for _, name := range []string{"data", "hashes", "deeper/seek"} {
			ingesttest.Put(t, w.Audio, folder+name, []byte("x"))
		}
	}
	for _, name := range []string{"audio/loose", "elsewhere/data"} { // none of ours
		ingesttest.Put(t, w.Audio, name, []byte("x"))
		stay = append(stay, name)
	}
	w.clean(t, map[string]int{"folders": 3})
	objects(t, w.Audio, stay...)
	w.clean(t, nil)
}

// request is of the first rendition of an upload with a real file.
func (w *world) request(t *testing.T) *eventpb.TranscodeRequested {
	t.Helper()
	source, err := os.ReadFile(ingesttest.Audio(t, "sine=440:d=1:r=44100", "a.flac"))
	if err != nil {
		t.Fatal(err)
	}
	u := ingesttest.Announce(t, w.Spanner, ingest.Upload{}, len(source))
	generation := ingesttest.Put(t, w.Uploads, u.Object, source)
	ingesttest.Accept(t, w.Spanner, u, generation, 44100, 44100)
	return &eventpb.TranscodeRequested{
		UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation,
		Format: string(ogg.Format), Bitrate: int32(ogg.Bitrate), SourceSamples: 44100, SourceSampleRate: 44100,
	}
}

// transcoder makes renditions beside the clean-up, through hooks of its own.
func (w *world) transcoder(t *testing.T) (transcode.Deps, *hooks) {
	t.Helper()
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := playback.OpenKeyset(t.Context(), keyset, kek)
	if err != nil {
		t.Fatal(err)
	}
	h := new(hooks)
	d := transcode.Deps{Writer: w.writer, Keys: keys, Cipher: playback.AES128CTR, Now: time.Now, NewID: id.Random, Uploads: w.Uploads}
	d.Audio = h.over(t, w.Audio.BucketName())
	return d, h
}

// A process that is paused for a day, before its last object, finds that its
// attempt was taken from it, and takes its objects away. The event that comes
// again makes the rendition.
func TestPausedAttempt(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]func(*testing.T, *world, func()){
		"cleaned up": func(t *testing.T, w *world, wake func()) {
			w.clean(t, map[string]int{"attempts": 1})
			wake()
		},
		// Woken between the claim and the removal.
		"claimed": func(t *testing.T, w *world, wake func()) {
			w.hooks.set(func(r *http.Request) {
				if strings.Contains(r.URL.Path, w.Audio.BucketName()) && r.URL.Query().Get("prefix") != audioPrefix {
					wake()
				}
			})
			if _, err := Clean(t.Context(), w.Deps); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.request(t)
			d, h := w.transcoder(t)
			asleep, awake, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			sleep := sync.OnceFunc(func() { close(asleep); <-awake })
			h.set(func(r *http.Request) {
				if strings.Contains(r.URL.Query().Get("name"), playback.SeekObject) || strings.HasSuffix(r.URL.Path, playback.SeekObject) {
					sleep()
				}
			})
			go func() { done <- transcode.Transcode(t.Context(), m, d) }()
			select {
			case <-asleep:
			case err := <-done:
				t.Fatalf("it did not write its last object: %v", err)
			}
			result := error(nil)
			wake := sync.OnceFunc(func() { close(awake); result = <-done })
			t.Cleanup(wake)
			during(t, w, wake)
			if result != nil {
				t.Error(result)
			}
			if events := ingesttest.Events[*eventpb.RenditionReady](t, w.topics); len(events) > 0 {
				t.Errorf("it was told of: %v", events)
			}
			ingesttest.Rows(t, w.Spanner, map[string]int64{"RenditionAttempts": 0, "Outbox": 0})
			objects(t, w.Audio)
			if err := transcode.Transcode(t.Context(), m, d); err != nil {
				t.Error(err)
			}
			if all := ingesttest.Attempts(t, w.Spanner, m.GetTrackId()); len(all) != 1 || all[0].State != ingest.Complete {
				t.Errorf("attempts %+v", all)
			}
			w.hooks.set(nil)
			w.clean(t, nil)
		})
	}
}

// A rendition that is published between the look at the rows and the claim stays.
func TestPublishedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	var folders []string
	for _, r := range playback.Renditions() {
		folders = append(folders, ingesttest.Attempt(t, w.Spanner, w.Audio, u, r, complete).Folder)
	}
	looked := ingesttest.Attempts(t, w.Spanner, u.TrackID)
	w.publish(t, u)
	for _, a := range looked {
		if done, err := w.discard(t.Context(), a, w.Now()); done || err != nil {
			t.Errorf("attempt %s: removed %v, %v", a.ID, done, err)
		}
	}
	w.clean(t, nil)
	objects(t, w.Audio, folders...)
}

// Killed anywhere, the next run does the rest.
func TestDies(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"cleanup:claimed", "discard:objects-removed", "cleanup:page-done"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			u, stay := w.playable(t)
			for range 3 {
				ingesttest.Attempt(t, w.Spanner, w.Audio, u, ogg, complete)
			}
			w.die(t, point)
			if all := ingesttest.Attempts(t, w.Spanner, u.TrackID); point == "cleanup:claimed" &&
				!slices.ContainsFunc(all, func(a *ingest.Attempt) bool { return a.State == ingest.Removing }) {
				t.Errorf("no row leads to what was begun: %+v", all)
			}
			if _, err := Clean(t.Context(), w.Deps); err != nil {
				t.Error(err)
			}
			objects(t, w.Audio, stay...)
			ingesttest.Rows(t, w.Spanner, map[string]int64{"RenditionAttempts": 6, "Renditions": 6})
			w.clean(t, nil)
		})
	}
}
