package analysis

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Two resolutions: pitch and timbre want narrow bins, a beat wants short frames.
const (
	longWindow  = 8192 // 186 ms: bins of 5.4 Hz
	longHop     = 4096 // 93 ms
	shortWindow = 1024 // 23 ms
	shortHop    = 512  // 12 ms
)

// stft gives the power spectrum of frames of stereo audio under a Hann window.
// Frame i begins at sample i*hop; those at the end are filled with silence.
type stft struct {
	hop    int
	window []float64
	audio  []complex128 // left + i·right, of the next frame
	filled int
	rest   int // samples of audio that no frame began with yet
	in     []complex128
	out    []complex128
	power  []float64
	fft    *fourier.CmplxFFT
}

func newSTFT(size, hop int) *stft {
	s := &stft{
		hop: hop, window: make([]float64, size), audio: make([]complex128, size), in: make([]complex128, size),
		out: make([]complex128, size), power: make([]float64, size/2+1), fft: fourier.NewCmplxFFT(size),
	}
	// Scaled so that a sine of full scale has a power of 1: its amplitude is
	// halved by the mirrored half of the spectrum, and the window sums to size/2.
	for i := range s.window {
		s.window[i] = (1 - math.Cos(2*math.Pi*float64(i)/float64(size))) / 2 * 4 / float64(size)
	}
	return s
}

// add takes a sample and returns the power spectrum of the frame that it
// completes, if any. It is valid until the next call.
func (s *stft) add(l, r float64) []float64 {
	s.audio[s.filled] = complex(l, r)
	s.filled++
	if s.rest++; s.filled < len(s.audio) {
		return nil
	}
	return s.frame()
}

// flush returns the frames that begin with what audio is left, one a call.
func (s *stft) flush() []float64 {
	if s.rest <= 0 {
		return nil
	}
	clear(s.audio[s.filled:])
	return s.frame()
}

// frame takes the spectra of both channels in one transform: with z = l + i·r,
// |Z(k)|² + |Z(-k)|² = 2(|L(k)|² + |R(k)|²). The channels' powers are averaged,
// not their waves: nothing cancels that is heard.
func (s *stft) frame() []float64 {
	for i, w := range s.window {
		s.in[i] = s.audio[i] * complex(w, 0)
	}
	s.fft.Coefficients(s.out, s.in)
	n := len(s.out)
	for k := range s.power {
		a, b := s.out[k], s.out[(n-k)%n]
		s.power[k] = (real(a)*real(a) + imag(a)*imag(a) + real(b)*real(b) + imag(b)*imag(b)) / 4
	}
	copy(s.audio, s.audio[s.hop:])
	s.filled = max(s.filled-s.hop, 0)
	s.rest -= s.hop
	return s.power
}

// hz is the frequency of a bin of a window.
func hz(bin float64, window int) float64 { return bin * SampleRate / float64(window) }

// decibels of a power, no lower than a floor.
func decibels(power, floor float64) float64 {
	return max(10*math.Log10(power+math.SmallestNonzeroFloat64), floor)
}
