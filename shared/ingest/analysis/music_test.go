package analysis

import (
	"fmt"
	"math"
	"testing"
)

// Each tempo is found as it is, not at half or double of it.
func TestTempo(t *testing.T) {
	t.Parallel()
	for _, bpm := range []float64{80, 100, 128, 174} {
		t.Run(fmt.Sprint(bpm), func(t *testing.T) {
			t.Parallel()
			s := clicks(bpm)
			if bpm != 100 { // with noise, and faint clicks between
				s = s.plus(noise(0.02)).plus(func(t float64) (float64, float64) {
					l, r := clicks(bpm)(t + 30/bpm)
					return l / 8, r / 8
				})
			}
			got := analyze(t, s, 9).Tempo
			if math.Abs(got.BPM-bpm) > 1 || got.Confidence < 0.3 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestNoTempo(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Features{
		"a tone": analyze(t, sine(0.5, 440), 6), "noise": analyze(t, noise(0.5), 7), "too short": analyze(t, clicks(120), 4.9),
	} {
		if f.Tempo != (Tempo{}) {
			t.Errorf("%s: got %+v", name, f.Tempo)
		}
	}
}

// Progressions whose key any musician names, in and out of tune.
func TestKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		a4     float64
		tonic  int
		major  bool
		chords [][]int
	}{
		{"C major: C F G C", 440, 0, true, [][]int{{48, 60, 64, 67}, {53, 60, 65, 69}, {55, 59, 62, 67}, {48, 60, 64, 67}}},
		{"A minor: Am Dm E Am", 446, 9, false, [][]int{{45, 60, 64, 69}, {50, 62, 65, 69}, {52, 59, 64, 68}, {45, 60, 64, 69}}},
		{"F# minor: F#m Bm C# F#m", 440, 6, false, [][]int{{42, 57, 61, 66}, {47, 59, 62, 66}, {49, 56, 61, 65}, {42, 57, 61, 66}}},
		{"E flat major: Eb Ab Bb Eb", 432, 3, true, [][]int{{51, 63, 67, 70}, {56, 63, 68, 72}, {58, 62, 65, 70}, {51, 63, 67, 70}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := analyze(t, chords(tt.a4, tt.chords...), 4).Key
			if !got.Found || got.Tonic != tt.tonic || got.Major != tt.major || got.Confidence < 0.3 {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := analyze(t, noise(0.5), 4).Key; got != (Key{}) {
		t.Errorf("of noise: %+v", got)
	}
}
