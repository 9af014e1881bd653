package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/functions/ingest/analyze"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/analysis"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestMain(m *testing.M) { emutest.Main(m) }

const samples, rate = 44100, 44100

// track adds a track whose source is the given content.
func (w *world) track(t *testing.T, source []byte, state string) *ingest.Upload {
	t.Helper()
	u := ingesttest.Announce(t, w.writer.Spanner, ingest.Upload{}, len(source))
	ingesttest.Accept(t, w.writer.Spanner, u, ingesttest.Put(t, w.uploads, u.Object, source), samples, rate)
	if state == catalog.StatePlayable {
		u.Status = ingest.Playable
	}
	w.apply(t, u.Update(), spanner.Update("Tracks", []string{"TrackId", "State"}, []any{u.TrackID, state}))
	return u
}

func (w *world) apply(t *testing.T, rows ...*spanner.Mutation) {
	t.Helper()
	if _, err := w.writer.Spanner.Apply(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// What is missing or old is asked for and then measured; what is named, whatever
// it has.
func TestReanalyze(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, err := os.ReadFile(ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	if err != nil {
		t.Fatal(err)
	}
	missing, old, current, newer := w.track(t, source, catalog.StatePlayable), w.track(t, source, catalog.StatePlayable), w.track(t, source, catalog.StatePlayable), w.track(t, source, catalog.StatePlayable)
	ingesttest.Analyze(t, w.writer.Spanner, old.TrackID, analysis.Version-1, 1)
	ingesttest.Analyze(t, w.writer.Spanner, current.TrackID, analysis.Version, 2)
	ingesttest.Analyze(t, w.writer.Spanner, newer.TrackID, analysis.Version+1, 3)
	processing := w.track(t, source, catalog.StateProcessing)
	gone := w.track(t, source, catalog.StatePlayable)
	if err := w.uploads.Object(gone.Object).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}

	w.run(t, selection{dryRun: true}, nil, "3 tracks: 2 would be asked for, 1 without a source", "track "+gone.TrackID+": its source is gone")
	w.run(t, selection{}, []*ingest.Upload{missing, old}, "3 tracks: 2 asked for, 1 without a source")
	w.apply(t, spanner.Delete("Tracks", spanner.Key{gone.TrackID}))
	w.run(t, selection{}, nil, "nothing to do")
	w.run(t, selection{track: current.TrackID}, []*ingest.Upload{current}, "1 tracks: 1 asked for, 0 without")
	w.run(t, selection{all: true, dryRun: true}, nil, "4 tracks: 4 would be")
	w.run(t, selection{all: true}, []*ingest.Upload{missing, old, current, newer}, "4 tracks: 4 asked")
	for _, id := range []string{processing.TrackID, "another"} {
		if err := reanalyze(t.Context(), w.deps, selection{track: id}); err == nil || err.Error() != "there is no playable track "+id {
			t.Errorf("got %v", err)
		}
	}
	ingesttest.Rows(t, w.writer.Spanner, map[string]int64{"TrackAnalyses": 4, "Outbox": 0})
}

// run asks that the command asks for these tracks, in these words, and has them
// done.
func (w *world) run(t *testing.T, s selection, want []*ingest.Upload, words ...string) {
	t.Helper()
	w.said.Reset()
	if err := reanalyze(t.Context(), w.deps, s); err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		if !strings.Contains(w.said.String(), word) {
			t.Errorf("%+v said %q, not %q", s, &w.said, word)
		}
	}
	requests := w.requests(t)
	if len(requests) != len(want) {
		t.Errorf("%+v: %d requests, want %d", s, len(requests), len(want))
	}
	for _, u := range want {
		m := requests[u.TrackID]
		if m == nil || m.GetUploadId() != u.ID || m.GetObject() != u.Object || m.GetGeneration() != u.Generation || m.GetSourceSamples() != samples || m.GetSourceSampleRate() != rate {
			t.Fatalf("%+v: asked %v of %+v", s, m, u)
		}
		if err := analyze.Analyze(t.Context(), m, analyze.Deps{Writer: w.writer, Now: time.Now, Uploads: w.uploads, Audio: w.uploads}); err != nil {
			t.Fatal(err)
		}
		row, err := w.writer.Spanner.Single().ReadRow(t.Context(), "TrackAnalyses", spanner.Key{u.TrackID}, []string{"Version", "KeyConfidence", "Energy"})
		var version int64
		var confidence, energy float64
		if err == nil {
			err = row.Columns(&version, &confidence, &energy)
		}
		if err != nil || version != analysis.Version || energy == 0 {
			t.Errorf("the row is of version %d, energy %g: %v", version, energy, err)
		}
	}
}

// More than a transaction holds is asked for in several.
func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := []byte("any")
	one := w.track(t, content, catalog.StatePlayable)
	var rows []*spanner.Mutation
	for i := range batch + 20 {
		rows = append(rows, spanner.InsertMap("Tracks", map[string]any{
			"TrackId": fmt.Sprintf("track%d", i), "LabelId": "label", "AlbumId": "album", "UploadId": one.ID, "State": catalog.StatePlayable,
			"Title": "Track", "DiscNumber": 1, "TrackNumber": i, "DurationMs": 1000, "Explicit": false, "Isrc": "", "Markets": []string{},
			"SourceSha256": make([]byte, 32), "SourceSamples": samples, "SourceSampleRate": rate,
			"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		}))
	}
	w.apply(t, rows...)
	if err := reanalyze(t.Context(), w.deps, selection{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); err != nil { // what did not make it within a second
		t.Fatal(err)
	}
	if n := len(w.requests(t)); n != batch+21 || strings.Count(w.said.String(), "\n") != 2 || !strings.Contains(w.said.String(), "100 tracks: 100 asked") {
		t.Errorf("%d requests; it said %q", n, &w.said)
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		words  string
	}{
		{[]string{"--help"}, 0, "--dry-run"},
		{[]string{"--track"}, 2, "needs an argument"},
		{[]string{"--track", ""}, 2, "--track is empty"},
		{[]string{"--track", "a", "--all"}, 2, "either --track or --all"},
		{[]string{"track"}, 2, `"track" is no flag`},
		{[]string{"--every"}, 2, "-every"},
		{nil, 1, "SEGUE_"},
	} {
		t.Setenv("SEGUE_PROJECT", "")
		t.Setenv("SEGUE_UPLOADS_BUCKET", "")
		if err := os.Unsetenv("SEGUE_UPLOADS_BUCKET"); err != nil {
			t.Fatal(err)
		}
		var out, messages bytes.Buffer
		if got := run(t.Context(), tt.args, &out, &messages); got != tt.status || !strings.Contains(messages.String(), tt.words) {
			t.Errorf("%q: status %d, %q", tt.args, got, &messages)
		}
	}
}

// world is the command's stores, and what it said.
type world struct {
	deps
	said     bytes.Buffer
	requests func(*testing.T) map[string]*eventpb.AnalysisRequested
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := new(world)
	writer, topics := emutest.Writer(t)
	w.deps = deps{writer: writer, uploads: emutest.Bucket(t), out: &w.said}
	w.requests = func(t *testing.T) map[string]*eventpb.AnalysisRequested {
		t.Helper()
		all := map[string]*eventpb.AnalysisRequested{}
		for _, m := range ingesttest.Events[*eventpb.AnalysisRequested](t, topics) {
			all[m.GetTrackId()] = m
		}
		return all
	}
	return w
}
