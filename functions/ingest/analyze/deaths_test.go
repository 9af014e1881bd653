package analyze

import (
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// It dies at each of its points once: before the commit nothing is there, after
// it nothing is lost, and in the end there is one row.
func TestDeaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	environment := []string{
		"SEGUE_PROJECT=" + w.topics.Project(), "SEGUE_SPANNER_DATABASE=" + w.Writer.Spanner.DatabaseName(),
		"SEGUE_UPLOADS_BUCKET=" + w.Uploads.BucketName(), "SEGUE_AUDIO_BUCKET=" + w.Audio.BucketName(),
	}
	die := func(point string) {
		t.Helper()
		ingesttest.Die(t, environment, "ingest-analyze", w.request(), nil, point)
	}
	relay := func(want int) {
		t.Helper()
		if n, err := w.Writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); n != want || err != nil {
			t.Errorf("relayed %d, %v; want %d", n, err, want)
		}
	}
	die("analyze:measured")
	w.nothing(t)

	die("outbox:committed")
	first := w.row(t)
	if n := w.events(t); n != 0 {
		t.Errorf("%d events before the relay", n)
	}
	relay(1)
	if n := w.events(t); n != 1 {
		t.Errorf("%d events, want that of the relay", n)
	}

	die("outbox:published") // of a delivery that tells again
	relay(1)
	if n := w.events(t); n != 2 {
		t.Errorf("%d events, want that of the dead and the relay's", n)
	}
	w.deliver(t)
	if r := w.row(t); !r.AnalyzedAt.Equal(first.AnalyzedAt) {
		t.Errorf("analysed again: %+v", r)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"TrackAnalyses": 1, "Outbox": 0})
}
