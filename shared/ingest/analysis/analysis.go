// Package analysis measures how music sounds: the waveform that a player shows,
// and tempo, key, energy, brightness and a log-mel summary for recommendations.
// PCM goes in, numbers come out; it knows of no files, no ffmpeg and no stores,
// and loudness is not among its numbers (shared/ingest/ffmpeg measures that).
//
// Audio is streamed: besides 4 bytes for every 12 ms, which the tempo needs,
// memory does not grow with its length.
package analysis

import (
	"encoding/binary"
	"math"
)

// Version of what the numbers mean. It grows with each change that makes them
// incomparable with those of before; tracks are then analysed anew.
const Version = 1

// SampleRate of the audio that is analysed, in Hz; it is stereo.
const SampleRate = 44100

const frameBytes = 8 // a sample of both channels

// Features are what is known of a track's sound.
type Features struct {
	Samples    int64 // per channel, as they came
	Waveform   [WaveformPeaks]byte
	Tempo      Tempo
	Key        Key
	Energy     float64 // 0 to 1
	Brightness float64 // 0 to 1
	LogMel     []byte  // LogMelSize bytes
}

// Analyzer is an io.Writer of interleaved stereo samples, 32-bit floats in
// little-endian order. Samples that are not finite count as silence.
type Analyzer struct {
	rest     []byte // of a sample that is not complete
	samples  int64
	square   float64 // sum of the squares of both channels
	waveform *waveform
	long     *stft
	short    *stft
	mel      *logMel
	chroma   chroma
	onsets   *onsets
	centroid centroid
}

// New makes an Analyzer of a track of so many samples per channel. It may turn
// out a little longer or shorter.
func New(samples int64) *Analyzer {
	a := &Analyzer{waveform: newWaveform(samples), long: newSTFT(longWindow, longHop), short: newSTFT(shortWindow, shortHop), onsets: newOnsets()}
	a.mel = newLogMel((samples + longHop - 1) / longHop)
	return a
}

// Write takes some more audio; it never fails.
func (a *Analyzer) Write(p []byte) (int, error) {
	n := len(p)
	if len(a.rest) > 0 {
		take := min(frameBytes-len(a.rest), len(p))
		a.rest, p = append(a.rest, p[:take]...), p[take:]
		if len(a.rest) < frameBytes {
			return n, nil
		}
		a.sample(a.rest)
		a.rest = a.rest[:0]
	}
	for ; len(p) >= frameBytes; p = p[frameBytes:] {
		a.sample(p)
	}
	a.rest = append(a.rest, p...)
	return n, nil
}

func (a *Analyzer) sample(b []byte) {
	l, r := float(b), float(b[4:])
	a.samples++
	a.square += l*l + r*r
	a.waveform.add(max(math.Abs(l), math.Abs(r)))
	if power := a.long.add(l, r); power != nil {
		a.longFrame(power)
	}
	if power := a.short.add(l, r); power != nil {
		a.onsets.add(power)
	}
}

func float(b []byte) float64 {
	v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func (a *Analyzer) longFrame(power []float64) {
	a.mel.add(power)
	a.chroma.add(power)
	a.centroid.add(power)
}

// Features ends the audio.
func (a *Analyzer) Features() Features {
	for power := a.long.flush(); power != nil; power = a.long.flush() {
		a.longFrame(power)
	}
	for power := a.short.flush(); power != nil; power = a.short.flush() {
		a.onsets.add(power)
	}
	return Features{
		Samples: a.samples, Waveform: a.waveform.peaks(), Tempo: a.onsets.tempo(), Key: a.chroma.key(),
		Energy: a.energy(), Brightness: a.centroid.brightness(), LogMel: a.mel.bytes(),
	}
}
