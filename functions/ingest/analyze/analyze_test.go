package analyze

import (
	"bytes"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/analysis"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// The numbers arrive in the row as they were measured, and are told of once.
func TestAnalyze(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deliver(t)
	r := w.row(t)
	if r.Version != 1 || len(r.Waveform) != 800 || slices.Min(r.Waveform[1:790]) == 0 || len(r.LogMel) != analysis.LogMelSize || time.Since(r.AnalyzedAt) > time.Minute {
		t.Errorf("got %+v", r)
	}
	if !r.IntegratedLufs.Valid || !r.TruePeakDb.Valid || math.Abs(r.GainDb-min(-14-r.IntegratedLufs.Float64, -1-r.TruePeakDb.Float64)) > 1e-9 {
		t.Errorf("loudness %v, peak %v, gain %g", r.IntegratedLufs, r.TruePeakDb, r.GainDb)
	}
	if loudest := float64(slices.Max(r.Waveform)) / 255; math.Abs(math.Pow(10, r.TruePeakDb.Float64/20)-loudest) > 0.05 {
		t.Errorf("true peak %v, but %g in the waveform", r.TruePeakDb, loudest)
	}
	if math.Abs(r.TempoBpm.Float64-120) > 1 || r.KeyTonic.Int64 != 9 || r.KeyMode.Int64 != 1 || r.TempoConfidence <= 0 || r.KeyConfidence <= 0 || r.Energy <= 0 || r.Brightness <= 0 {
		t.Errorf("got %+v", r)
	}
	if n := w.events(t); n != 1 {
		t.Errorf("%d events", n)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Outbox": 0})
}

// What cannot be measured of a file is NULL, and it is played as it is.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, lavfi     string
		args            []string
		samples, rate   int64
		loudness, tempo bool
	}{
		{"silence", "anullsrc=r=44100:d=6", []string{"a.flac"}, 264600, 44100, false, false},
		{"0.2 s", "sine=440:r=44100:d=0.2", []string{"-ac", "2", "a.flac"}, 8820, 44100, false, false},
		{"one sample", "sine=440:r=44100,atrim=end_sample=1", []string{"a.wav"}, 1, 44100, false, false},
		{"mono", music, []string{"-ac", "1", "a.flac"}, 384000, 48000, true, true},
		{"5.1", music, []string{"-ac", "6", "a.flac"}, 384000, 48000, true, true},
		{"8 kHz", music, []string{"-ac", "1", "-ar", "8000", "a.mp3"}, 64000, 8000, true, true},
		{"192 kHz", music, []string{"-ar", "192000", "-c:a", "pcm_s24le", "a.wav"}, 1536000, 192000, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(ingesttest.Audio(t, tt.lavfi, tt.args...))
			if err != nil {
				t.Fatal(err)
			}
			w := newWorldOf(t, source, tt.samples, tt.rate)
			w.deliver(t)
			r := w.row(t)
			if r.IntegratedLufs.Valid != tt.loudness || r.TempoBpm.Valid != tt.tempo || (r.GainDb == 0) == tt.loudness || len(r.Waveform) != 800 {
				t.Errorf("got %+v", r)
			}
			if tt.tempo && math.Abs(r.TempoBpm.Float64-120) > 1 {
				t.Errorf("tempo %v", r.TempoBpm)
			}
			if tt.name == "silence" && (r.TruePeakDb.Valid || r.Energy != 0 || slices.Max(r.Waveform) != 0) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// Delivered five times at once, one row stays, and each may tell of it. Delivered again while publish may wait, it tells again and measures nothing;
// then, or for an older row, or for a newer one:
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var g errgroup.Group
	for range 5 {
		g.Go(func() error { return Analyze(t.Context(), w.request(), w.Deps) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	first := w.row(t)
	if n := w.events(t); n < 1 || n > 5 {
		t.Errorf("%d events", n)
	}
	w.deliver(t)
	if n := w.events(t); n != 1 {
		t.Errorf("told %d times of a track that may wait", n)
	}
	w.settle(t, ingest.Playable)
	w.deliver(t)
	if r := w.row(t); !r.AnalyzedAt.Equal(first.AnalyzedAt) || w.events(t) != 0 {
		t.Errorf("a playable track is analysed again: %+v", r)
	}
	w.setVersion(t, analysis.Version+1)
	w.deliver(t)
	if r := w.row(t); r.Version != analysis.Version+1 || w.events(t) != 0 {
		t.Errorf("a newer row is replaced: %+v", r)
	}
	w.setVersion(t, analysis.Version-1)
	w.deliver(t)
	if r := w.row(t); r.Version != analysis.Version || r.GainDb != first.GainDb || w.events(t) != 1 {
		t.Errorf("an older row stays: %+v", r)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"TrackAnalyses": 1, "Outbox": 0})
}

// An upload that came to nothing wants no analysis, nor does another track.
func TestNotWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, status := range []ingest.Status{ingest.Failed, ingest.Duplicate} {
		w.settle(t, status)
		w.deliver(t)
		w.nothing(t)
	}
	w.settle(t, ingest.Processing)
	m := w.request()
	m.TrackId = "another"
	if err := Analyze(t.Context(), m, w.Deps); err != nil {
		t.Error(err)
	}
	w.nothing(t)
	// It fails while it is measured.
	found, err := w.measure(t.Context(), w.request())
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t, ingest.Failed)
	if err := w.record(t.Context(), w.request(), found); err != nil {
		t.Error(err)
	}
	w.nothing(t)
}

// A file that ffmpeg refuses ends the upload, with what is made of it; a track
// that is playable already stays.
func TestCannotBeAnalysed(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{
		"garbage": "it cannot be analysed: the file: Invalid data found when processing input",
		"gone":    "it cannot be analysed: the uploaded file is gone",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, bytes.Repeat([]byte("garbage"), 3000), 44100, 44100)
			if name == "gone" {
				if err := w.Uploads.Object(w.upload.Object).Delete(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, playback.Renditions()[0], time.Time{})
			w.settle(t, ingest.Playable)
			w.deliver(t)
			if u := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID); u.Status != ingest.Playable || len(ingesttest.Objects(t, w.Audio)) == 0 {
				t.Errorf("a playable track is %s", u.Status)
			}
			w.settle(t, ingest.Processing)
			for range 2 {
				w.deliver(t)
				if u := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID); u.Status != ingest.Failed || u.Reason != words {
					t.Errorf("%s: %q, want %q", u.Status, u.Reason, words)
				}
				if attempts, objects := ingesttest.Attempts(t, w.Writer.Spanner, w.upload.TrackID), ingesttest.Objects(t, w.Audio); len(attempts)+len(objects) > 0 {
					t.Errorf("left are %v, %q", attempts, objects)
				}
				w.nothing(t)
			}
		})
	}
}

// The upload fails, and then the process dies or the bucket does: the next
// delivery removes what is made of it.
func TestFailedButNotRemoved(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, bytes.Repeat([]byte("garbage"), 3000), 44100, 44100)
	ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, playback.Renditions()[0], time.Time{})
	broken := w.Deps
	broken.Audio = emutest.Bucket(t)
	if err := broken.Audio.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds that it has failed
		if err := Analyze(t.Context(), w.request(), broken); err == nil {
			t.Error("no error: the event would not come again")
		}
		if u, objects := ingesttest.Read(t, w.Writer.Spanner, w.upload.ID), ingesttest.Objects(t, w.Audio); u.Status != ingest.Failed || len(objects) != 3 {
			t.Errorf("%s, objects %q", u.Status, objects)
		}
	}
	ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, playback.Renditions()[1], time.Time{})
	atWork := ingesttest.Attempt(t, w.Writer.Spanner, w.Audio, w.upload, playback.Renditions()[2], time.Now().Add(time.Hour))
	w.deliver(t)
	if left := ingesttest.Attempts(t, w.Writer.Spanner, w.upload.TrackID); len(left) != 1 || left[0].ID != atWork.ID {
		t.Errorf("left are %v", left)
	}
	if objects := ingesttest.Objects(t, w.Audio); len(objects) != 1 || objects[0] != atWork.Folder+playback.DataObject {
		t.Errorf("objects %q", objects)
	}
	w.nothing(t)
}

// What is not the file's fault is tried again, and leaves nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		change func(*eventpb.AnalysisRequested)
		words  string
	}{
		{func(m *eventpb.AnalysisRequested) { m.UploadId = "another" }, "there is no upload another"},
		{func(m *eventpb.AnalysisRequested) { m.SourceSamples += 48000 }, "has 352800 samples, its source makes 396900"},
		{func(m *eventpb.AnalysisRequested) { m.SourceSamples = 0 }, "a file of 0 samples at 48000 Hz was never accepted"},
		{func(m *eventpb.AnalysisRequested) { m.SourceSampleRate = 0 }, "at 0 Hz was never accepted"},
	} {
		m := w.request()
		tt.change(m)
		if err := Analyze(t.Context(), m, w.Deps); err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("got %v, want %q", err, tt.words)
		}
		w.nothing(t)
	}
}
