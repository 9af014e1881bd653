package analysis

import "math"

// Tempo is a track's beat.
type Tempo struct {
	BPM        float64 // 0: none was found
	Confidence float64 // 0 to 1
}

const (
	onsetBands   = 32
	onsetFloor   = 0.01 // amplitude from which on a band's rise counts fully
	onsetsPerSec = float64(SampleRate) / shortHop

	slowest, fastest = 40, 220 // BPM
	usual            = 120     // BPM: people tap about there (Moelants 2002)
	spread           = 1.0     // octaves around it
	beats            = 4       // that must follow each other
	farBeats         = 8       // that tell the tempo exactly
	shortest         = 5       // seconds; less has no tempo
	leastRegular     = 0.15    // of the correlation; less is no beat
	offBeat          = 0.2     // how much a beat in between speaks against a tempo
)

// onsets keeps how much begins in each short frame: the mean rise of its bands,
// in dB.
type onsets struct {
	bank     filterbank
	last     [onsetBands]float64
	strength []float32
}

func newOnsets() *onsets {
	return &onsets{bank: newFilterbank(onsetBands, shortWindow, melLow, melHigh)}
}

func (o *onsets) add(power []float64) {
	rise := 0.0
	for b, f := range o.bank {
		level := 20 * math.Log10(1+math.Sqrt(f.sum(power))/onsetFloor)
		rise += max(level-o.last[b], 0)
		o.last[b] = level
	}
	o.strength = append(o.strength, float32(rise/onsetBands))
}

func (o *onsets) mean() (mean float64) {
	for _, s := range o.strength {
		mean += float64(s) / float64(len(o.strength))
	}
	return mean
}

// tempo is the one at whose beats the onsets are most like each other, of those
// the one most usual (a comb over their autocorrelation, with a log-normal
// weight as Ellis 2007 has). Music at 174 may be found at 87, as people tap it.
func (o *onsets) tempo() Tempo {
	if float64(len(o.strength)) < shortest*onsetsPerSec {
		return Tempo{}
	}
	longest := int(math.Ceil(farBeats * 60 / slowest * onsetsPerSec))
	acf := autocorrelate(o.accents(), min(longest+2, len(o.strength)/2))
	best, period := 0.0, 0.0
	for bpm := float64(slowest); bpm <= fastest; bpm *= 1.0025 {
		p := 60 * onsetsPerSec / bpm
		octaves := math.Log2(bpm/usual) / spread
		score := (acf.comb(p) - offBeat*max(acf.at(p/2), 0)) * math.Exp(-octaves*octaves/2)
		if score > best {
			best, period = score, p
		}
	}
	confidence := acf.comb(period)
	if best == 0 || confidence < leastRegular {
		return Tempo{}
	}
	return Tempo{BPM: 60 * onsetsPerSec / acf.refine(period), Confidence: clamp(confidence)}
}

// accents are the onsets that stand out from the second around them, as bumps
// some frames wide, so that a period need not be a whole number of frames.
func (o *onsets) accents() []float64 {
	const around = 43 // frames: half a second
	n := len(o.strength)
	sums := make([]float64, n+1)
	for i, s := range o.strength {
		sums[i+1] = sums[i] + float64(s)
	}
	sharp := make([]float64, n)
	for i, s := range o.strength {
		from, to := max(i-around, 0), min(i+around+1, n)
		sharp[i] = max(float64(s)-(sums[to]-sums[from])/float64(to-from), 0)
	}
	bump := [...]float64{0.014, 0.135, 0.607, 1, 0.607, 0.135, 0.014}
	accents, mean := make([]float64, n), 0.0
	for i := range accents {
		for j, w := range bump {
			if k := i + j - len(bump)/2; k >= 0 && k < n {
				accents[i] += w * sharp[k]
			}
		}
		mean += accents[i] / float64(n)
	}
	for i := range accents {
		accents[i] -= mean
	}
	return accents
}

// correlation is how alike a signal is to itself some frames later, from 1
// (the same) to -1.
type correlation []float64

func autocorrelate(v []float64, lags int) correlation {
	c := make(correlation, lags)
	for lag := range c {
		sum := 0.0
		for i, x := range v[:len(v)-lag] {
			sum += x * v[i+lag]
		}
		c[lag] = sum / float64(len(v)-lag)
	}
	if c[0] <= 0 {
		return make(correlation, lags) // nothing stands out
	}
	for lag := lags - 1; lag >= 0; lag-- {
		c[lag] /= c[0]
	}
	return c
}

func (c correlation) at(lag float64) float64 {
	i, part := int(lag), lag-math.Floor(lag)
	if i+1 >= len(c) {
		return 0
	}
	return c[i]*(1-part) + c[i+1]*part
}

// comb is the mean correlation at the next beats.
func (c correlation) comb(period float64) (mean float64) {
	for k := 1; k <= beats; k++ {
		mean += c.at(period*float64(k)) / beats
	}
	return mean
}

// refine measures a period over as many beats as are regular.
func (c correlation) refine(period float64) float64 {
	for k := 1; k <= farBeats; k *= 2 {
		near := int(math.Round(period * float64(k)))
		if near >= len(c) {
			break
		}
		top := near
		for lag := max(near-3, 1); lag <= near+3 && lag+1 < len(c); lag++ {
			if c[lag] > c[top] {
				top = lag
			}
		}
		if top < 1 || top+1 >= len(c) || c[top] < c.at(period)/2 {
			break
		}
		a, b, d := c[top-1], c[top], c[top+1]
		exact := float64(top)
		if curve := a - 2*b + d; curve < 0 && b >= a && b >= d {
			exact += (a - d) / (2 * curve)
		}
		period = exact / float64(k)
	}
	return period
}
