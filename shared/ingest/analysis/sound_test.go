package analysis

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// sound makes a stereo sample of a time in seconds.
type sound func(t float64) (l, r float64)

func mono(f func(t float64) float64) sound {
	return func(t float64) (float64, float64) { v := f(t); return v, v }
}

func sine(amplitude, hz float64) sound {
	return mono(func(t float64) float64 { return amplitude * math.Sin(2*math.Pi*hz*t) })
}

func noise(amplitude float64) sound {
	random := rand.New(rand.NewPCG(1, 2))
	return mono(func(float64) float64 { return amplitude * (2*random.Float64() - 1) })
}

// clicks are short bursts at a tempo.
func clicks(bpm float64) sound {
	return mono(func(t float64) float64 {
		since := math.Mod(t, 60/bpm)
		return 0.8 * math.Exp(-since*80) * math.Sin(2*math.Pi*1000*since)
	})
}

// chords plays one after the other, a second each, in notes of MIDI's numbering
// with three overtones, at a given tuning of A.
func chords(a4 float64, all ...[]int) sound {
	return mono(func(t float64) (v float64) {
		for _, note := range all[int(t)%len(all)] {
			f := a4 * math.Pow(2, float64(note-69)/12)
			for overtone := 1; overtone <= 4; overtone++ {
				v += 0.1 / float64(overtone) * math.Sin(2*math.Pi*f*float64(overtone)*t)
			}
		}
		return v * math.Exp(-math.Mod(t, 1))
	})
}

func (s sound) plus(other sound) sound {
	return func(t float64) (float64, float64) {
		l, r := s(t)
		l2, r2 := other(t)
		return l + l2, r + r2
	}
}

// pcm is so many samples of the sound.
func (s sound) pcm(samples int) []byte {
	b := make([]byte, 0, samples*frameBytes)
	for i := range samples {
		l, r := s(float64(i) / SampleRate)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(l)))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r)))
	}
	return b
}

func analyze(t testing.TB, s sound, seconds float64) Features {
	t.Helper()
	samples := int(seconds * SampleRate)
	a := New(int64(samples))
	if n, err := a.Write(s.pcm(samples)); n != samples*frameBytes || err != nil {
		t.Fatal(n, err)
	}
	f := a.Features()
	if f.Samples != int64(samples) || len(f.LogMel) != LogMelSize {
		t.Fatalf("%d samples of %d, %d bytes of log-mel", f.Samples, samples, len(f.LogMel))
	}
	for name, v := range map[string]float64{"tempo": f.Tempo.Confidence, "key": f.Key.Confidence, "energy": f.Energy, "brightness": f.Brightness} {
		if math.IsNaN(v) || v < 0 || v > 1 {
			t.Errorf("%s: %g is not between 0 and 1", name, v)
		}
	}
	return f
}
