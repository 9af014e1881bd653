package analysis

import (
	"encoding/binary"
	"math"
	"reflect"
	"testing"
)

// However the audio is cut into writes, the numbers are the same.
func TestWritesOfAnySize(t *testing.T) {
	t.Parallel()
	const samples = 30000
	pcm := clicks(300).plus(sine(0.1, 440)).pcm(samples)
	want := New(samples)
	_, _ = want.Write(pcm)
	whole := want.Features()
	for _, size := range []int{1, 3, 8, 13, 4096} {
		a := New(samples)
		for rest := pcm; len(rest) > 0; {
			n := min(size, len(rest))
			if got, err := a.Write(rest[:n]); got != n || err != nil {
				t.Fatal(got, err)
			}
			rest = rest[n:]
		}
		if got := a.Features(); !reflect.DeepEqual(got, whole) {
			t.Errorf("in writes of %d bytes: other numbers", size)
		}
	}
}

// What has nothing to be measured has no numbers, and no NaN among them.
func TestNothingToHear(t *testing.T) {
	t.Parallel()
	silence := mono(func(float64) float64 { return 0 })
	broken := mono(func(t float64) float64 { return []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[int(t*SampleRate)%3] })
	for name, tt := range map[string]struct {
		sound   sound
		seconds float64
	}{
		"no sample": {silence, 0}, "silence": {silence, 7}, "one sample": {silence, 1.0 / SampleRate}, "not finite": {broken, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := analyze(t, tt.sound, tt.seconds)
			want := Features{Samples: f.Samples, LogMel: make([]byte, LogMelSize)}
			if !reflect.DeepEqual(f, want) {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// What is there at all is measured, and what takes time is left out.
func TestShort(t *testing.T) {
	t.Parallel()
	f := analyze(t, sine(0.5, 1000), 0.2)
	if f.Tempo != (Tempo{}) || f.Waveform[400] != 127 || f.Brightness <= 0 || f.Energy <= 0 {
		t.Errorf("got tempo %v, peak %d, brightness %g, energy %g", f.Tempo, f.Waveform[400], f.Brightness, f.Energy)
	}
}

// Energy and brightness put sounds in the order in which one hears them.
func TestEnergyAndBrightness(t *testing.T) {
	t.Parallel()
	soft, low := analyze(t, sine(0.02, 110), 3), analyze(t, sine(0.5, 110), 3)
	high, drums := analyze(t, sine(0.5, 4000), 3), analyze(t, noise(0.5).plus(clicks(160)), 3)
	if !(soft.Energy < low.Energy && low.Energy < drums.Energy && drums.Energy > 0.6 && soft.Energy < 0.3) {
		t.Errorf("energy: soft %g, loud %g, drums %g", soft.Energy, low.Energy, drums.Energy)
	}
	if !(low.Brightness < 0.1 && low.Brightness < high.Brightness && high.Brightness < drums.Brightness) {
		t.Errorf("brightness: low %g, high %g, noise %g", low.Brightness, high.Brightness, drums.Brightness)
	}
	if want := mel(4000) / mel(SampleRate/2); math.Abs(high.Brightness-want) > 0.02 {
		t.Errorf("brightness of 4 kHz is %g, want %g", high.Brightness, want)
	}
}

// A recording with one channel turned over is silent as a mono mix, but sounds.
func TestTurnedOverChannel(t *testing.T) {
	t.Parallel()
	straight := clicks(120).plus(chords(440, []int{60, 64, 67}))
	f := analyze(t, straight, 6)
	g := analyze(t, func(t float64) (float64, float64) { l, r := straight(t); return l, -r }, 6)
	if math.Abs(f.Tempo.BPM-g.Tempo.BPM) > 0.01 || f.Key.Tonic != g.Key.Tonic || f.Waveform != g.Waveform || f.Tempo.BPM == 0 {
		t.Errorf("got %v %v, as it should be %v %v", g.Tempo, g.Key, f.Tempo, f.Key)
	}
}

// Memory does not grow with the audio but by the onsets.
func TestMemory(t *testing.T) {
	pcm := noise(0.3).pcm(shortHop * 8)
	a := New(1 << 40)
	write := func() { _, _ = a.Write(pcm) }
	write()
	a.onsets.strength = make([]float32, 0, 1<<16)
	if n := testing.AllocsPerRun(50, write); n > 0 {
		t.Errorf("%g allocations a write", n)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(int64(10), []byte{0, 0, 0, 0, 0, 0, 0x80, 0x7f})
	f.Add(int64(0), binary.LittleEndian.AppendUint32(nil, math.Float32bits(math.MaxFloat32)))
	f.Add(int64(-1), make([]byte, 900))
	f.Fuzz(func(t *testing.T, samples int64, pcm []byte) {
		a := New(samples % (1 << 40))
		_, _ = a.Write(pcm)
		g := a.Features()
		for _, v := range []float64{g.Energy, g.Brightness, g.Key.Confidence, g.Tempo.BPM, g.Tempo.Confidence} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("got %+v", g)
			}
		}
	})
}
