package analysis

import "math"

// centroid is the mean frequency of all that sounds, weighed by its amplitude.
type centroid struct{ moment, weight float64 }

func (c *centroid) add(power []float64) {
	for k, p := range power {
		amplitude := math.Sqrt(p)
		c.moment += float64(k) * amplitude
		c.weight += amplitude
	}
}

// brightness is where the centroid lies on the mel scale: 0 at 0 Hz (and of
// silence), 1 at 22,050 Hz.
func (c *centroid) brightness() float64 {
	if c.weight == 0 {
		return 0
	}
	return mel(hz(c.moment/c.weight, longWindow)) / mel(SampleRate/2)
}

// The ends of the scales that energy is measured on.
const (
	levelQuiet, levelLoud = -60, -5 // dBFS
	activityFull          = 3       // dB a short frame
)

// energy is the mean of two: how loud a track is (its RMS level, from -60 dBFS
// to -5 dBFS) and how much happens in it (the mean rise of its bands, up to 3 dB
// in 12 ms). Silence has none.
func (a *Analyzer) energy() float64 {
	if a.square == 0 {
		return 0
	}
	level := 10 * math.Log10(a.square/float64(2*a.samples))
	loud := (level - levelQuiet) / (levelLoud - levelQuiet)
	return (clamp(loud) + clamp(a.onsets.mean()/activityFull)) / 2
}

func clamp(v float64) float64 { return min(max(v, 0), 1) }
