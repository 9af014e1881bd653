package analysis

import "math"

// WaveformPeaks is how many peaks a track has, whatever its length.
const WaveformPeaks = 800

// waveform finds the loudest sample of each of 800 equal parts of a track. The
// parts of one that has fewer samples share them.
type waveform struct {
	total, seen int64
	part        int64 // that is being looked at
	end         int64 // of it: the first sample that is not in it
	peak        float64
	found       [WaveformPeaks]float64
}

func newWaveform(total int64) *waveform {
	w := &waveform{total: max(total, 1)}
	w.end = w.endOf(0)
	return w
}

func (w *waveform) endOf(part int64) int64 {
	return ((part+1)*w.total + WaveformPeaks - 1) / WaveformPeaks
}

func (w *waveform) add(level float64) {
	w.peak = max(w.peak, level)
	if w.seen++; w.seen < w.end {
		return
	}
	for ; w.part < WaveformPeaks && w.endOf(w.part) <= w.seen; w.part++ {
		w.found[w.part] = w.peak
	}
	w.peak, w.end = 0, w.endOf(w.part)
	if w.part == WaveformPeaks {
		// A track that is longer than it was said to be ends in its last peak.
		w.part, w.peak, w.end = WaveformPeaks-1, w.found[WaveformPeaks-1], math.MaxInt64
	}
}

// peaks are those of the track, 255 being full scale. A track that is shorter
// than it was said to be ends in silence.
func (w *waveform) peaks() [WaveformPeaks]byte {
	w.found[w.part] = max(w.found[w.part], w.peak)
	var all [WaveformPeaks]byte
	for i, peak := range w.found {
		all[i] = byte(math.Round(min(peak, 1) * math.MaxUint8))
	}
	return all
}
