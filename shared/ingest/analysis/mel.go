package analysis

import "math"

// mel is a pitch's place on the mel scale (O'Shaughnessy 1987).
func mel(hz float64) float64 { return 2595 * math.Log10(1+hz/700) }

func melToHz(m float64) float64 { return 700 * (math.Pow(10, m/2595) - 1) }

// filterbank sums the bins of a spectrum in triangles that are equally wide on
// the mel scale, each with a top of 1.
type filterbank []filter

type filter struct {
	first   int
	weights []float64
}

func newFilterbank(bands, window int, low, high float64) filterbank {
	bank := make(filterbank, bands)
	edge := func(i int) float64 { // in bins
		m := mel(low) + (mel(high)-mel(low))*float64(i)/float64(bands+1)
		return melToHz(m) / hz(1, window)
	}
	for b := range bank {
		left, top, right := edge(b), edge(b+1), edge(b+2)
		first, last := int(math.Ceil(left)), int(math.Floor(right))
		for k := first; k <= last; k++ {
			f := float64(k)
			bank[b].weights = append(bank[b].weights, max(0, min((f-left)/(top-left), (right-f)/(right-top))))
		}
		bank[b].first = first
		if last < first { // narrower than a bin
			bank[b] = filter{first: int(math.Round(top)), weights: []float64{1}}
		}
	}
	return bank
}

func (f filter) sum(power []float64) (sum float64) {
	for i, w := range f.weights {
		sum += w * power[f.first+i]
	}
	return sum
}

// The log-mel summary: 64 bands of equal width on the mel scale between 30 Hz
// and 11,025 Hz, a frame every 4096 samples (93 ms), in dB of a sine of full
// scale. It is laid out as
//
//	LogMelBands bytes              mean of each band over the whole track
//	LogMelBands bytes              standard deviation of each band
//	6 excerpts × 32 frames × 64    frame after frame, the lowest band first
//
// A byte of a level is 0 at -100 dB and below and 255 at 0 dB and above; one of
// a deviation is 0 at 0 dB and 255 at 50 dB and above. The middles of the
// excerpts are at 1/12, 3/12 … 11/12 of the track; those of a track of less than
// 192 frames overlap, and frames behind its end are zero.
const (
	LogMelBands    = 64
	LogMelExcerpts = 6
	LogMelFrames   = 32
	LogMelSize     = 2*LogMelBands + LogMelExcerpts*LogMelFrames*LogMelBands

	melLow, melHigh = 30, SampleRate / 4
	levelFloor      = -100 // dB
	deviationMax    = 50   // dB
)

type logMel struct {
	bank     filterbank
	starts   [LogMelExcerpts]int64
	frame    int64
	sum      [LogMelBands]float64
	square   [LogMelBands]float64
	levels   [LogMelBands]float64
	excerpts [LogMelExcerpts][LogMelFrames][LogMelBands]byte
}

func newLogMel(frames int64) *logMel {
	m := &logMel{bank: newFilterbank(LogMelBands, longWindow, melLow, melHigh)}
	for i := range m.starts {
		middle := (2*int64(i) + 1) * frames / (2 * LogMelExcerpts)
		m.starts[i] = max(0, min(middle-LogMelFrames/2, frames-LogMelFrames))
	}
	return m
}

func (m *logMel) add(power []float64) {
	for b, f := range m.bank {
		level := decibels(f.sum(power), levelFloor)
		m.levels[b] = level
		m.sum[b] += level
		m.square[b] += level * level
	}
	for i, start := range m.starts {
		if at := m.frame - start; at >= 0 && at < LogMelFrames {
			for b, level := range m.levels {
				m.excerpts[i][at][b] = quantize(level-levelFloor, -levelFloor)
			}
		}
	}
	m.frame++
}

func quantize(v, full float64) byte {
	return byte(math.Round(min(max(v/full, 0), 1) * math.MaxUint8))
}

func (m *logMel) bytes() []byte {
	out := make([]byte, 0, LogMelSize)
	n := float64(max(m.frame, 1))
	if m.frame == 0 {
		return out[:LogMelSize]
	}
	for _, sum := range m.sum {
		out = append(out, quantize(sum/n-levelFloor, -levelFloor))
	}
	for b, square := range m.square {
		mean := m.sum[b] / n
		out = append(out, quantize(math.Sqrt(max(square/n-mean*mean, 0)), deviationMax))
	}
	for i := range m.excerpts {
		for j := range m.excerpts[i] {
			out = append(out, m.excerpts[i][j][:]...)
		}
	}
	return out
}
