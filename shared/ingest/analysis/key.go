package analysis

import "math"

// Key is a track's musical key.
type Key struct {
	Found      bool
	Tonic      int // 0 is C, 11 is B
	Major      bool
	Confidence float64 // 0 to 1; 0 where none was found
}

const (
	chromaLow, chromaHigh = 65.0, 2100.0 // Hz: C2 to C7
	fine                  = 10           // parts of a half-step, to find the tuning
	octave                = 12 * fine
	audible               = 1e-6 // power of the loudest part of a frame that counts
	faint                 = 1e-4 // of that: what is weaker is not looked at
)

// chroma sums how strong each pitch is, whatever its octave. It takes the peaks
// of a spectrum only, each at its true frequency (Gómez 2006), so that noise and
// the skirts of low notes count little. Each audible frame counts the same.
type chroma struct {
	strength [octave]float64 // from A upwards
}

func (c *chroma) add(power []float64) {
	first, last := int(chromaLow/hz(1, longWindow)), int(chromaHigh/hz(1, longWindow))
	loudest := 0.0
	for k := first; k <= last; k++ {
		loudest = max(loudest, power[k])
	}
	if loudest < audible {
		return
	}
	var frame [octave]float64
	sum := 0.0
	for k := first; k <= last; k++ {
		p := power[k]
		if p < loudest*faint || p < power[k-1] || p <= power[k+1] {
			continue
		}
		// The top of a parabola through the logarithms is the tone's place.
		a, b, d := math.Log(power[k-1]), math.Log(p), math.Log(power[k+1])
		bin := float64(k)
		if curve := a - 2*b + d; curve < 0 && !math.IsInf(curve, 0) {
			bin += (a - d) / (2 * curve)
		}
		pitch := int(math.Round(octave * math.Log2(hz(bin, longWindow)/440)))
		frame[((pitch%octave)+octave)%octave] += math.Sqrt(p)
		sum += math.Sqrt(p)
	}
	if sum == 0 {
		return
	}
	for i, s := range frame {
		c.strength[i] += s / sum
	}
}

// tuning is how far the track is from A = 440 Hz, in tenths of a half-step.
func (c *chroma) tuning() float64 {
	var x, y float64
	for i, s := range c.strength {
		sin, cos := math.Sincos(2 * math.Pi * float64(i%fine) / fine)
		x, y = x+s*cos, y+s*sin
	}
	return math.Atan2(y, x) / (2 * math.Pi) * fine
}

// classes are the strengths of C, C#, … B.
func (c *chroma) classes() (all [12]float64) {
	tuning := c.tuning()
	for i, s := range c.strength {
		halfSteps := int(math.Floor((float64(i)-tuning)/fine + 0.5))
		all[(halfSteps+12+9)%12] += s // A is 9 above C
	}
	return all
}

// How well each degree of the scale fits a key: Temperley (1999), "What's key
// for key?", table 3.
var (
	majorProfile = [12]float64{5, 2, 3.5, 2, 4.5, 4, 2, 4.5, 2, 3.5, 1.5, 4}
	minorProfile = [12]float64{5, 2, 3.5, 4.5, 2, 4, 2, 4.5, 3.5, 2, 1.5, 4}
)

const (
	// Pitches of noise are alike; music's vary by more than half of their mean.
	leastContrast, fullContrast = 0.25, 0.6
	clearMargin                 = 0.1 // of the correlation, over the next key's
)

// key is the one whose profile fits best (Krumhansl and Schmuckler). Its
// confidence is the correlation, less where another key fits nearly as well or
// where the pitches are nearly alike.
func (c *chroma) key() Key {
	classes := c.classes()
	mean, deviation := moments(classes)
	if mean == 0 || deviation/mean < leastContrast {
		return Key{}
	}
	best, next := -1.0, -1.0
	var k Key
	for tonic := range 12 {
		for _, major := range []bool{true, false} {
			profile := minorProfile
			if major {
				profile = majorProfile
			}
			fit := correlate(classes, profile, tonic)
			if fit > best {
				best, next = fit, best
				k = Key{Found: true, Tonic: tonic, Major: major}
			} else if fit > next {
				next = fit
			}
		}
	}
	k.Confidence = clamp(best) * clamp((best-next)/clearMargin) * clamp(deviation/mean/fullContrast)
	return k
}

func moments(v [12]float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x / 12
	}
	for _, x := range v {
		deviation += (x - mean) * (x - mean) / 12
	}
	return mean, math.Sqrt(deviation)
}

func correlate(classes, profile [12]float64, tonic int) (r float64) {
	cm, cd := moments(classes)
	pm, pd := moments(profile)
	for degree, p := range profile {
		r += (classes[(tonic+degree)%12] - cm) * (p - pm) / 12
	}
	return r / (cd * pd)
}
