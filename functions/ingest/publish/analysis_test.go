package publish

import (
	"math"
	"testing"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

func analyzed(u *ingest.Upload, version int32) *eventpb.TrackAnalyzed {
	return &eventpb.TrackAnalyzed{UploadId: u.ID, TrackId: u.TrackID, Version: version}
}

// Six renditions wait for the analysis as they wait for a seventh.
func TestAnalysisIsAPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	if _, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("TrackAnalyses", spanner.Key{u.TrackID})}); err != nil {
		t.Fatal(err)
	}
	all := w.six(t, u)
	for _, a := range all {
		w.deliver(t, ready(u, a))
	}
	if s := w.state(t, u.TrackID); s != catalog.StateProcessing {
		t.Fatalf("without its analysis the track is %s", s)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Renditions": 0, "AlbumTracks": 0})
	ingesttest.Analyze(t, w.Writer.Spanner, u.TrackID, 1, 2)
	for range 2 {
		w.deliver(t, analyzed(u, 1))
	}
	w.published(t, u, all)
}

// A later analysis changes what streams of a playable track are told; the same
// one again changes nothing.
func TestAnalyzedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	all := w.six(t, u)
	w.deliver(t, ready(u, all[0]))
	w.published(t, u, all)
	w.deliver(t, analyzed(u, 1))
	if events := ingesttest.Events[*eventpb.CatalogChanged](t, w.topics); len(events) > 0 {
		t.Errorf("nothing changed, but %v", events)
	}
	ingesttest.Analyze(t, w.Writer.Spanner, u.TrackID, 2, -7)
	for range 2 {
		w.deliver(t, analyzed(u, 2))
	}
	if events := ingesttest.Events[*eventpb.CatalogChanged](t, w.topics); len(events) != 1 || events[0].GetKind() != "track" || events[0].GetId() != u.TrackID {
		t.Errorf("events %v", events)
	}
	for _, r := range playback.Renditions() {
		l, err := (&playback.Store{Spanner: w.Writer.Spanner}).Rendition(t.Context(), u.TrackID, r)
		if err != nil || *l.GainDb != -7 || math.Abs(*l.Peak-0.5) > 1e-9 {
			t.Errorf("%s: %+v, %v", r, l, err)
		}
	}
	var gain float64
	row, err := w.Writer.Spanner.Single().ReadRow(t.Context(), "Tracks", spanner.Key{u.TrackID}, []string{"GainDb"})
	if err == nil {
		err = row.Columns(&gain)
	}
	if err != nil || gain != -7 {
		t.Errorf("the track's gain is %v, %v", gain, err)
	}
}

// The true peak of silence is none, so its linear peak is 0.
func TestSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.track(t)
	if _, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.UpdateMap("TrackAnalyses", map[string]any{"TrackId": u.TrackID, "TruePeakDb": nil, "GainDb": 0.0})}); err != nil {
		t.Fatal(err)
	}
	all := w.six(t, u)
	w.deliver(t, ready(u, all[0]))
	l, err := (&playback.Store{Spanner: w.Writer.Spanner}).Rendition(t.Context(), u.TrackID, all[0].Rendition)
	if err != nil || l.Peak == nil || *l.Peak != 0 || *l.GainDb != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}
