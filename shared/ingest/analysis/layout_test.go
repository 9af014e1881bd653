package analysis

import (
	"math"
	"slices"
	"testing"
)

// Each part's loudest sample, of either channel, whatever the length.
func TestWaveform(t *testing.T) {
	t.Parallel()
	for _, total := range []int{1, 2, 3, 799, 800, 801, 1000, 44100, 1<<17 + 7} {
		w := newWaveform(int64(total))
		var want [WaveformPeaks]byte
		for i := range total {
			level := math.Abs(math.Sin(float64(i))) * float64(i) / float64(total)
			w.add(level)
			for p := i * WaveformPeaks / total; p < max((i+1)*WaveformPeaks/total, i*WaveformPeaks/total+1); p++ {
				want[p] = max(want[p], byte(math.Round(level*255)))
			}
		}
		got := w.peaks()
		for p := range got {
			if d := int(got[p]) - int(want[p]); d > 1 || d < -1 {
				t.Fatalf("%d samples: peak %d is %d, want %d", total, p, got[p], want[p])
			}
		}
	}
}

func TestWaveformOfTheWrongLength(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		said, came  int
		filled, end byte
	}{
		{"as said", 80000, 80000, 128, 255},
		{"a little longer", 80000, 80050, 128, 255},
		{"a little shorter", 80000, 79950, 128, 255},
		{"much shorter", 80000, 40000, 128, 0},
	} {
		w := newWaveform(int64(tt.said))
		for i := range tt.came {
			level := 0.5
			if i == tt.came-1 {
				level = 2 // clips
			}
			w.add(level)
		}
		if got := w.peaks(); got[0] != tt.filled || got[398] != tt.filled || got[799] != tt.end {
			t.Errorf("%s: %d %d %d", tt.name, got[0], got[398], got[799])
		}
	}
	left := New(8000)
	_, _ = left.Write(sound(func(float64) (float64, float64) { return 0.1, -1 }).pcm(8000))
	if got := left.Features().Waveform; got[0] != 255 || got[799] != 255 {
		t.Errorf("the louder channel is not seen: %d", got[0])
	}
}

// The parts of the summary are where the documentation says.
func TestLogMel(t *testing.T) {
	t.Parallel()
	// Half of it at 500 Hz, half at 5 kHz, 20 dB below full scale.
	f := analyze(t, mono(func(t float64) float64 {
		if t < 10 {
			return 0.1 * math.Sin(2*math.Pi*500*t)
		}
		return 0.1 * math.Sin(2*math.Pi*5000*t)
	}), 20)
	means, deviations, frames := f.LogMel[:64], f.LogMel[64:128], f.LogMel[128:]
	band := func(hz float64) int {
		return int(math.Round((mel(hz)-mel(melLow))/(mel(melHigh)-mel(melLow))*(LogMelBands+1))) - 1
	}
	low, high := band(500), band(5000)
	for excerpt := range LogMelExcerpts {
		for frame := range LogMelFrames {
			at := (excerpt*LogMelFrames + frame) * LogMelBands
			levels := frames[at : at+LogMelBands]
			want := low
			if excerpt >= 3 {
				want = high
			}
			loudest := slices.Index(levels, slices.Max(levels))
			if loudest < want-1 || loudest > want+1 {
				t.Fatalf("excerpt %d, frame %d: band %d is the loudest, want %d", excerpt, frame, loudest, want)
			}
			if level := float64(levels[loudest])/255*100 - 100; level < -22 || level > -17 {
				t.Fatalf("its level is %.1f dB", level)
			}
		}
	}
	if m := slices.Max(means); m != means[low] && m != means[low-1] && m != means[low+1] && m != means[high] {
		t.Errorf("the means' top is %d of %v", m, means)
	}
	if deviations[low] < 200 || deviations[63] > deviations[low] {
		t.Errorf("deviations %v", deviations)
	}
}

// A track that is shorter than an excerpt has it all in each, then zeros.
func TestLogMelOfAShortTrack(t *testing.T) {
	t.Parallel()
	const frames = 10
	f := analyze(t, noise(0.5), float64(frames*longHop)/SampleRate)
	for excerpt := range LogMelExcerpts {
		at := 128 + excerpt*LogMelFrames*LogMelBands
		heard, padding := f.LogMel[at:at+frames*LogMelBands], f.LogMel[at+frames*LogMelBands:at+LogMelFrames*LogMelBands]
		if slices.Min(heard) == 0 || slices.Max(padding) != 0 {
			t.Errorf("excerpt %d: quietest %d, padding up to %d", excerpt, slices.Min(heard), slices.Max(padding))
		}
	}
}

// A tone's power is its amplitude squared, averaged over the channels, each of
// which is found apart.
func TestSpectrum(t *testing.T) {
	t.Parallel()
	s := newSTFT(shortWindow, shortHop)
	frames := 0
	check := func(power []float64) {
		if power == nil {
			return
		}
		frames++
		if frames > 3 { // those behind hold silence too
			return
		}
		for bin, want := range map[int]float64{100: 0.125, 300: 0.02, 200: 0.16, 400: 0} {
			if math.Abs(power[bin]-want) > 1e-9 {
				t.Errorf("frame %d: %g in bin %d, want %g", frames, power[bin], bin, want)
			}
		}
	}
	for i := range 2*shortWindow + 1 {
		at := 2 * math.Pi * float64(i) / shortWindow
		check(s.add(0.5*math.Sin(100*at)+0.4*math.Sin(200*at), 0.2*math.Cos(300*at)+0.4*math.Cos(200*at)))
	}
	for power := s.flush(); power != nil; power = s.flush() {
		check(power)
	}
	if frames != 5 { // as many as begin within the audio
		t.Errorf("%d frames", frames)
	}
}
