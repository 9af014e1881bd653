package ingesttest

import (
	"testing"

	"cloud.google.com/go/spanner"
)

// Analyze stores what stands for the analysis of a track, of true peak 0.5.
func Analyze(t testing.TB, client *spanner.Client, track string, version int64, gainDb float64) {
	t.Helper()
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.InsertOrUpdateMap("TrackAnalyses", map[string]any{
		"TrackId": track, "Version": version, "IntegratedLufs": -14 - gainDb, "LoudnessRange": 5.0, "TruePeakDb": -6.020599913279624, "GainDb": gainDb,
		"Waveform": make([]byte, 800), "TempoConfidence": 0.0, "KeyConfidence": 0.0, "Energy": 0.5, "Brightness": 0.5, "LogMel": []byte{},
		"AnalyzedAt": spanner.CommitTimestamp,
	})}); err != nil {
		t.Fatal(err)
	}
}
