package publish

import (
	"reflect"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// The sixth rendition makes the track playable, not the fifth; whatever comes
// later changes nothing.
func TestFanIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	_, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.Update("Tracks", []string{"TrackId", "Markets"}, []any{u.TrackID, []string{"SE"}})})
	if err != nil {
		t.Fatal(err)
	}
	var all []*ingest.Attempt
	for i, r := range playback.Renditions() {
		a := w.attempt(t, u, r, complete)
		all = append(all, a)
		if w.deliver(t, ready(u, a)); i < 5 {
			if s := w.state(t, u.TrackID); s != catalog.StateProcessing {
				t.Fatalf("with %d renditions the track is %s", i+1, s)
			}
			ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Renditions": 0, "AlbumTracks": 0})
		}
	}
	for _, a := range all {
		w.deliver(t, ready(u, a))
	}
	w.published(t, u, all)
	a := all[1]
	got, err := (&playback.Store{Spanner: w.Writer.Spanner}).Rendition(t.Context(), u.TrackID, a.Rendition)
	if err != nil {
		t.Fatal(err)
	}
	gain, peak, seek := -3.5, 0.5, a.SeekSize
	want := &playback.Live{
		TrackID: u.TrackID, Rendition: a.Rendition, AttemptID: a.ID, Folder: a.Folder, Cipher: a.Cipher, WrappedKey: a.WrappedKey, Size: a.Size,
		HeadSize: a.HeadSize, EncoderDelay: a.Delay, TotalSamples: a.TotalSamples, SampleRate: a.SampleRate, DurationMs: 2000,
		Markets: []string{"SE"}, GainDb: &gain, Peak: &peak, SeekSize: &seek,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Six attempts and one event are enough, since an event only says: look.
func TestEventsMayBeLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	all := w.six(t, u)
	w.deliver(t, ready(u, all[3]))
	w.published(t, u, all)
}

// All events five times, all at once.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	all := w.six(t, u)
	loser := w.attempt(t, u, all[0].Rendition, complete)
	var g errgroup.Group
	for range 5 {
		for _, a := range append(all, loser) {
			g.Go(func() error {
				w.deliver(t, ready(u, a))
				return nil
			})
		}
	}
	_ = g.Wait()
	w.published(t, u, all)
}

// Of several attempts the one that was complete first is played. The others
// go, but for one whose work still goes on.
func TestLosers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	now := time.Now()
	w.Now = func() time.Time { return now }
	r := playback.Renditions()
	dead := w.attempt(t, u, r[1], now) // until now, that is: no more
	all := w.six(t, u)
	late := w.attempt(t, u, r[2], complete)
	atWork := w.attempt(t, u, r[3], now.Add(time.Millisecond))
	w.deliver(t, ready(u, late))
	w.objects(t, append([]*ingest.Attempt{atWork}, all...))
	// It gives up, or dies: the next event finds it.
	now = now.Add(time.Second)
	w.attempt(t, u, r[4], complete)
	w.deliver(t, ready(u, dead))
	w.published(t, u, all)
}

// A failed upload keeps no renditions.
func TestFailedUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	all := append(w.six(t, u), w.attempt(t, u, playback.Renditions()[0], complete))
	if err := ingest.Fail(t.Context(), w.Writer.Spanner, u.ID, u.Generation, "a reason"); err != nil {
		t.Fatal(err)
	}
	atWork := w.attempt(t, u, playback.Renditions()[1], time.Now().Add(time.Hour))
	w.deliver(t, ready(u, all[0]))
	if got := ingesttest.Attempts(t, w.Writer.Spanner, u.TrackID); len(got) != 1 || got[0].ID != atWork.ID {
		t.Errorf("attempts %v are left, want %s", ids(got), atWork.ID)
	}
	w.objects(t, []*ingest.Attempt{atWork})
	if s := w.state(t, u.TrackID); s != catalog.StateFailed {
		t.Errorf("the track is %s", s)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Renditions": 0, "AlbumTracks": 0, "Outbox": 0})
	if events := ingesttest.Events[*eventpb.CatalogChanged](t, w.topics); len(events) > 0 {
		t.Errorf("events %v", events)
	}
}

// A track that is gone is nobody's fault.
func TestTrackIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deliver(t, &eventpb.RenditionReady{UploadId: id.Random(), TrackId: id.Random(), Format: "ogg", Bitrate: 96, AttemptId: id.Random()})
}

// A bucket that fails keeps the track from nothing; the losers stay for the
// next delivery.
func TestBucketFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	all := w.six(t, u)
	loser := w.attempt(t, u, playback.Renditions()[5], complete)
	broken := w.Deps
	broken.Audio = emutest.Bucket(t)
	if err := broken.Audio.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := Publish(t.Context(), ready(u, loser), broken); err == nil {
		t.Error("no error: the event would not come again")
	}
	if s := w.state(t, u.TrackID); s != catalog.StatePlayable {
		t.Errorf("the track is %s", s)
	}
	w.objects(t, append([]*ingest.Attempt{loser}, all...))
	w.deliver(t, ready(u, loser))
	w.published(t, u, all)
}

// What was taken down before it was published is not played afterwards.
func TestTakenDownBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	attempts := w.six(t, u)
	if err := playback.TakeDown(t.Context(), w.Writer, u.TrackID, true); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, ready(u, attempts[0]))
	store := &playback.Store{Spanner: w.Writer.Spanner}
	if _, err := store.Rendition(t.Context(), u.TrackID, attempts[0].Rendition); errs.From(err).Reason != "taken_down" {
		t.Errorf("it plays: %v", err)
	}
	if err := playback.TakeDown(t.Context(), w.Writer, u.TrackID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Rendition(t.Context(), u.TrackID, attempts[0].Rendition); err != nil {
		t.Errorf("put back: %v", err)
	}
}
