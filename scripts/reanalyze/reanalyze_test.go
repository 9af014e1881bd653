package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

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
	skipped := fmt.Sprintf(" asked for, 0 without a source, 1 skipped with an analysis newer than this build's (%d)", analysis.Version)
	w.run(t, selection{all: true, dryRun: true}, nil, "4 tracks: 3 would be"+skipped)
	w.run(t, selection{all: true}, []*ingest.Upload{missing, old, current}, "4 tracks: 3"+skipped)
	for _, dryRun := range []bool{true, false} {
		want := fmt.Sprintf("the analysis of track %s is newer than this build's, which is version %d: it stays", newer.TrackID, analysis.Version)
		if err := reanalyze(t.Context(), w.deps, selection{track: newer.TrackID, dryRun: dryRun}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if asked, v := w.requests(t), w.version(t, newer.TrackID); len(asked) > 0 || v != analysis.Version+1 {
		t.Errorf("%d requests; the newer analysis is of version %d", len(asked), v)
	}
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

// A newer build analyses a track after this one looked at it: that stays.
func TestNewerMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, other := w.track(t, []byte("any"), catalog.StatePlayable), w.track(t, []byte("any"), catalog.StatePlayable)
	ingesttest.Analyze(t, w.writer.Spanner, u.TrackID, analysis.Version, 1)
	all := selection{all: true}
	page, err := w.find(t.Context(), all, "")
	if err != nil || len(page) != 2 {
		t.Fatal(page, err)
	}
	ingesttest.Analyze(t, w.writer.Spanner, u.TrackID, analysis.Version+1, 2)
	var n count
	if err := w.batch(t.Context(), all, page, &n); err != nil || n != (count{seen: 2, asked: 1, newer: 1}) {
		t.Errorf("counted %+v, %v", n, err)
	}
	if asked, v := w.requests(t), w.version(t, u.TrackID); len(asked) != 1 || asked[other.TrackID] == nil || v != analysis.Version+1 {
		t.Errorf("asked %v; the newer analysis is of version %d", asked, v)
	}
}

func (w *world) version(t *testing.T, track string) (version int64) {
	t.Helper()
	row, err := w.writer.Spanner.Single().ReadRow(t.Context(), "TrackAnalyses", spanner.Key{track}, []string{"Version"})
	if err == nil {
		err = row.Columns(&version)
	}
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// More than a transaction holds is asked for in several.
func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	if err := reanalyze(t.Context(), w.deps, selection{}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.relayed(t)); n != batch+21 || strings.Count(w.said.String(), "\n") != 2 || !strings.Contains(w.said.String(), "100 tracks: 100 asked") {
		t.Errorf("%d requests; it said %q", n, &w.said)
	}
}

// Interrupted, --all says from where it is to go on, and goes on from there.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.out = interrupts{cancel}
	err := reanalyze(ctx, w.deps, selection{all: true})
	first := w.relayed(t)
	if len(first) != batch {
		t.Fatalf("%d requests before the interruption", len(first))
	}
	last := slices.Max(slices.Collect(maps.Keys(first)))
	if want := "the last track asked for is " + last + ": go on with --all --after " + last; err == nil || !strings.HasSuffix(err.Error(), want) || spanner.ErrCode(err) != codes.Canceled {
		t.Fatalf("got %v, want %q", err, want)
	}
	w.out = &w.said
	if err := reanalyze(t.Context(), w.deps, selection{all: true, after: last}); err != nil {
		t.Fatal(err)
	}
	second := w.relayed(t)
	for track := range second {
		if first[track] != nil {
			t.Errorf("track %s is asked for again", track)
		}
	}
	if len(second) != 21 || !strings.Contains(w.said.String(), "21 tracks: 21 asked for") {
		t.Errorf("%d requests; it said %q", len(second), &w.said)
	}
	w.run(t, selection{all: true, after: slices.Max(slices.Collect(maps.Keys(second)))}, nil, "nothing to do behind track ")
	// Before its first batch there is nothing to go on from.
	if err := reanalyze(ctx, w.deps, selection{all: true}); err == nil || strings.Contains(err.Error(), "--after") {
		t.Errorf("got %v", err)
	}
}

// interrupts cancels when it is written to.
type interrupts struct{ cancel context.CancelFunc }

func (i interrupts) Write(p []byte) (int, error) {
	i.cancel()
	return len(p), nil
}

// relayed are the requests, with those that were not published within a second.
func (w *world) relayed(t *testing.T) map[string]*eventpb.AnalysisRequested {
	t.Helper()
	if _, err := w.writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	return w.requests(t)
}

// many adds 21 tracks more than a transaction holds, none with an analysis.
func (w *world) many(t *testing.T) {
	t.Helper()
	one := w.track(t, []byte("any"), catalog.StatePlayable)
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
		{[]string{"--after", ""}, 2, `--after "" is not the id of a track`},
		{[]string{"--all", "--after", "a"}, 2, `--after "a" is not the id of a track`},
		{[]string{"--track", "a", "--after", "0000000000000000000001"}, 2, "either --track or --after"},
		{[]string{"--help"}, 0, "--after ID"},
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
