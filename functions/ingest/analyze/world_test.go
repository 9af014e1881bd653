package analyze

import (
	"os"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestMain(m *testing.M) { ingesttest.Main(m) }

// world is an analyzer with stores of its own, and an accepted upload.
type world struct {
	Deps
	topics  *pubsub.Client
	upload  *ingest.Upload
	samples int64
	rate    int64
}

// music is what ffmpeg's lavfi makes of a beat of 120 BPM over A and C#.
const music = "aevalsrc=0.2*sin(2*PI*440*t)+0.2*sin(2*PI*554.37*t)+0.4*exp(-60*mod(t\\,0.5))*sin(2*PI*150*t)|0.2*sin(2*PI*659.26*t):s=48000:d=8"

func newWorld(t *testing.T) *world {
	t.Helper()
	source, err := os.ReadFile(ingesttest.Audio(t, music, "a.flac"))
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, source, 8*48000, 48000)
}

func newWorldOf(t *testing.T, source []byte, samples, rate int64) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	w := &world{topics: topics, samples: samples, rate: rate}
	w.Deps = Deps{Writer: writer, Now: time.Now, Uploads: emutest.Bucket(t), Audio: emutest.Bucket(t)}
	w.upload = ingesttest.Announce(t, writer.Spanner, ingest.Upload{}, len(source))
	generation := ingesttest.Put(t, w.Uploads, w.upload.Object, source)
	ingesttest.Accept(t, writer.Spanner, w.upload, generation, samples, rate)
	return w
}

func (w *world) request() *eventpb.AnalysisRequested {
	return &eventpb.AnalysisRequested{
		UploadId: w.upload.ID, TrackId: w.upload.TrackID, Object: w.upload.Object, Generation: w.upload.Generation,
		SourceSamples: w.samples, SourceSampleRate: int32(w.rate),
	}
}

func (w *world) deliver(t *testing.T) {
	t.Helper()
	if err := Analyze(t.Context(), w.request(), w.Deps); err != nil {
		t.Fatal(err)
	}
}

// events are how often it was told of the track since the last call.
func (w *world) events(t *testing.T) int {
	t.Helper()
	all := ingesttest.Events[*eventpb.TrackAnalyzed](t, w.topics)
	for _, m := range all {
		if m.GetUploadId() != w.upload.ID || m.GetTrackId() != w.upload.TrackID || m.GetVersion() != 1 {
			t.Errorf("event %v", m)
		}
	}
	return len(all)
}

// settle gives the upload and its track another status.
func (w *world) settle(t *testing.T, status ingest.Status) {
	t.Helper()
	state := map[ingest.Status]string{ingest.Playable: catalog.StatePlayable, ingest.Failed: catalog.StateFailed}[status]
	if state == "" {
		state = catalog.StateProcessing
	}
	w.upload.Status = status
	_, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{
		w.upload.Update(), spanner.Update("Tracks", []string{"TrackId", "State"}, []any{w.upload.TrackID, state}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// row is what is stored of the track.
type row struct {
	Version                           int64
	IntegratedLufs, TruePeakDb        spanner.NullFloat64
	LoudnessRange, GainDb             float64
	Waveform, LogMel                  []byte
	TempoBpm                          spanner.NullFloat64
	TempoConfidence                   float64
	KeyTonic, KeyMode                 spanner.NullInt64
	KeyConfidence, Energy, Brightness float64
	AnalyzedAt                        time.Time
}

var columns = []string{
	"Version", "IntegratedLufs", "TruePeakDb", "LoudnessRange", "GainDb", "Waveform", "LogMel", "TempoBpm", "TempoConfidence",
	"KeyTonic", "KeyMode", "KeyConfidence", "Energy", "Brightness", "AnalyzedAt",
}

func (w *world) row(t *testing.T) row {
	t.Helper()
	found, err := w.Writer.Spanner.Single().ReadRow(t.Context(), "TrackAnalyses", spanner.Key{w.upload.TrackID}, columns)
	if err != nil {
		t.Fatal(err)
	}
	var r row
	if err := found.ToStruct(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// setVersion makes the row one of another version.
func (w *world) setVersion(t *testing.T, version int64) {
	t.Helper()
	_, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{
		spanner.Update("TrackAnalyses", []string{"TrackId", "Version", "GainDb"}, []any{w.upload.TrackID, version, 99.0}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nothing asks that nothing was stored or told.
func (w *world) nothing(t *testing.T) {
	t.Helper()
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"TrackAnalyses": 0, "Outbox": 0})
	if n := w.events(t); n > 0 {
		t.Errorf("%d events", n)
	}
}
