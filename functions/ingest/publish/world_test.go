package publish

import (
	"context"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// world is a publisher with stores of its own.
type world struct {
	Deps
	topics *pubsub.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	return &world{Deps: Deps{Writer: writer, Audio: emutest.Bucket(t), Now: time.Now}, topics: topics}
}

// track is an upload that was accepted.
func (w *world) track(t *testing.T) *ingest.Upload {
	t.Helper()
	u := ingesttest.Announce(t, w.Writer.Spanner, ingest.Upload{}, 1)
	ingesttest.Accept(t, w.Writer.Spanner, u, 1, 88200, 44100)
	ingesttest.Analyze(t, w.Writer.Spanner, u.TrackID, 1, -3.5)
	return u
}

var complete time.Time // an attempt without a lease

func (w *world) attempt(t *testing.T, u *ingest.Upload, r playback.Rendition, leasedUntil time.Time) *ingest.Attempt {
	t.Helper()
	return ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, u, r, leasedUntil)
}

// six are complete attempts, one at each rendition.
func (w *world) six(t *testing.T, u *ingest.Upload) []*ingest.Attempt {
	t.Helper()
	var all []*ingest.Attempt
	for _, r := range playback.Renditions() {
		all = append(all, w.attempt(t, u, r, complete))
	}
	return all
}

func ready(u *ingest.Upload, a *ingest.Attempt) *eventpb.RenditionReady {
	return &eventpb.RenditionReady{
		UploadId: u.ID, TrackId: u.TrackID, Format: string(a.Format), Bitrate: int32(a.Bitrate), AttemptId: a.ID,
	}
}

func (w *world) deliver(t *testing.T, m Part) {
	t.Helper()
	if err := Publish(context.WithoutCancel(t.Context()), m, w.Deps); err != nil {
		t.Error(err)
	}
}

func (w *world) state(t *testing.T, track string) (state string) {
	t.Helper()
	row, err := w.Writer.Spanner.Single().ReadRow(t.Context(), "Tracks", spanner.Key{track}, []string{"State"})
	if err == nil {
		err = row.Columns(&state)
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// ids are those of attempts, sorted.
func ids(attempts []*ingest.Attempt) []string {
	var all []string
	for _, a := range attempts {
		all = append(all, a.ID)
	}
	slices.Sort(all)
	return all
}

// live are the ids of the attempts that are played, sorted.
func (w *world) live(t *testing.T, track string) []string {
	t.Helper()
	var all []string
	for _, r := range playback.Renditions() {
		l, err := (&playback.Store{Spanner: w.Writer.Spanner}).Rendition(t.Context(), track, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.AttemptID)
	}
	slices.Sort(all)
	return all
}

// published asks that exactly these attempts are played and left, with their
// objects, that the album has the track once, and that this was told once.
func (w *world) published(t *testing.T, u *ingest.Upload, want []*ingest.Attempt) {
	t.Helper()
	if s := w.state(t, u.TrackID); s != catalog.StatePlayable {
		t.Fatalf("the track is %s", s)
	}
	if s := ingesttest.Read(t, w.Writer.Spanner, u.ID).Status; s != ingest.Playable {
		t.Errorf("the upload is %s", s)
	}
	if got := w.live(t, u.TrackID); !slices.Equal(got, ids(want)) {
		t.Errorf("played are %v, want %v", got, ids(want))
	}
	if got := ids(ingesttest.Attempts(t, w.Writer.Spanner, u.TrackID)); !slices.Equal(got, ids(want)) {
		t.Errorf("attempts %v are left, want %v", got, ids(want))
	}
	w.objects(t, want)
	changed := map[string]int{}
	for _, m := range ingesttest.Events[*eventpb.CatalogChanged](t, w.topics) {
		changed[m.GetKind()]++
		if m.GetKind() == "track" && m.GetId() != u.TrackID {
			t.Errorf("event %v is not of track %s", m, u.TrackID)
		}
	}
	if changed["track"] != 1 || changed["album"] != 1 || len(changed) != 2 {
		t.Errorf("catalog-changed came %v", changed)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"AlbumTracks": 1, "Renditions": 6, "Outbox": 0})
}

// objects asks that the bucket holds what these attempts wrote, and no more.
func (w *world) objects(t *testing.T, of []*ingest.Attempt) {
	t.Helper()
	var want []string
	for _, a := range of {
		want = append(want, a.Folder+playback.DataObject)
		if a.State == ingest.Complete {
			want = append(want, a.Folder+playback.HashesObject, a.Folder+playback.SeekObject)
		}
	}
	got := ingesttest.Objects(t, w.Audio)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
}
