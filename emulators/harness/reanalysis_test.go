package harness

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/functions/ingest/publish"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// What was asked for of playable tracks is asked for again, what was found and
// not told is told, and all others are let alone. Told of it, publish is done
// with it: the next start has nothing to tell.
func TestReanalysesGoOn(t *testing.T) {
	t.Parallel()
	writer, topics := emutest.Writer(t)
	uploads := emutest.Bucket(t)
	client := writer.Spanner
	generations := map[string]int64{}
	gain, peak := 2.5, 0.5000000000000001 // as another's arithmetic makes it of ingesttest.Analyze's
	for _, tt := range []struct {
		track      string
		state      string
		version    int64
		gain, peak any
	}{
		{"asked", catalog.StatePlayable, 0, gain, peak},
		{"gone", catalog.StatePlayable, 0, gain, peak},
		{"replaced", catalog.StatePlayable, 0, gain, peak},
		{"gain", catalog.StatePlayable, 3, gain + 0.1, peak},
		{"peak", catalog.StatePlayable, 3, gain, peak + 1e-6},
		{"none", catalog.StatePlayable, 3, nil, nil},
		{"silent", catalog.StatePlayable, 3, gain, peak},
		{"same", catalog.StatePlayable, 3, gain, peak},
		{"quiet", catalog.StatePlayable, 3, gain, 0.0},
		{"failed", catalog.StateFailed, 0, nil, nil},
	} {
		status := ingest.Playable
		if tt.state == catalog.StateFailed {
			status = ingest.Failed
		}
		generations[tt.track] = put(t, uploads, ingest.Prefix+"u-"+tt.track, "abc")
		addUpload(t, client, "u-"+tt.track, status, generations[tt.track], tt.track)
		addTrack(t, client, tt.track, "u-"+tt.track, tt.state)
		ingesttest.Analyze(t, client, tt.track, tt.version, gain)
		rows := []*spanner.Mutation{spanner.Update("Tracks", []string{"TrackId", "GainDb", "Peak"}, []any{tt.track, tt.gain, tt.peak})}
		if tt.track == "silent" || tt.track == "quiet" {
			rows = append(rows, spanner.Update("TrackAnalyses", []string{"TrackId", "TruePeakDb"}, []any{tt.track, nil}))
		}
		if _, err := client.Apply(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		for i, r := range playback.Renditions() {
			addAttempt(t, client, tt.track, fmt.Sprint(tt.track, i), ingest.Complete, r, tt.state == catalog.StatePlayable)
		}
	}
	remove(t, uploads, ingest.Prefix+"u-gone")
	put(t, uploads, ingest.Prefix+"u-replaced", "another")

	var log bytes.Buffer
	r := resumption{writer: writer, uploads: uploads, log: &log}
	resume := func(want ...string) []*eventpb.TrackAnalyzed {
		t.Helper()
		log.Reset()
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked := ingesttest.Events[*eventpb.AnalysisRequested](t, topics)
		if len(asked) != 1 || asked[0].GetTrackId() != "asked" || asked[0].GetUploadId() != "u-asked" || asked[0].GetObject() != "uploads/u-asked" ||
			asked[0].GetGeneration() != generations["asked"] || asked[0].GetSourceSamples() != 441 || asked[0].GetSourceSampleRate() != 44100 {
			t.Errorf("asked for %v", asked)
		}
		told := map[string]bool{}
		all := ingesttest.Events[*eventpb.TrackAnalyzed](t, topics)
		for _, m := range all {
			if told[m.GetTrackId()] = true; m.GetUploadId() != "u-"+m.GetTrackId() || m.GetVersion() != 3 {
				t.Errorf("told %v", m)
			}
		}
		if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, want) || len(all) != len(want) {
			t.Errorf("told of %v, want %v", got, want)
		}
		for _, line := range []string{"analysis of track asked goes on", "track gone cannot be", "track replaced cannot be"} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("the log has no %q: %s", line, &log)
			}
		}
		return all
	}
	for _, m := range resume("gain", "none", "peak", "silent") {
		if err := publish.Publish(t.Context(), m, publish.Deps{Writer: writer, Audio: uploads, Now: time.Now}); err != nil {
			t.Fatal(err)
		}
	}
	resume()
}

// More than one transaction takes is told whole.
func TestManyReanalyses(t *testing.T) {
	t.Parallel()
	writer, topics := emutest.Writer(t)
	for i := range 2*batch + 1 {
		track := fmt.Sprint("t", i)
		addTrack(t, writer.Spanner, track, "u-"+track, catalog.StatePlayable)
		ingesttest.Analyze(t, writer.Spanner, track, 1, 2)
	}
	if err := (resumption{writer: writer, uploads: emutest.Bucket(t), log: new(bytes.Buffer)}).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); err != nil { // what did not make it within a second
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range ingesttest.Events[*eventpb.TrackAnalyzed](t, topics) {
		told[m.GetTrackId()] = true
	}
	if len(told) != 2*batch+1 {
		t.Errorf("told of %d tracks", len(told))
	}
}
