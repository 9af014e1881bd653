// Package fingerprint recognises a recording in another file: encoded by
// another codec, louder, resampled, or with a little more or less at its begin.
// It compares Chromaprint's fingerprints, and finds among a label's tracks the
// few that are worth comparing. It is not for covers, live versions or edits of
// a song, which are other recordings, and it makes no fingerprints: ffmpeg does.
//
// # Figures
//
// Bit-error rates at the best alignment, of the first 125 s of 16 pieces of music
// (Debian's singularity-music) and 16 files made of each; BenchmarkRates measures
// any others.
//
//	                                 pairs  min    median max
//	mono, 22.05 kHz                     32  0.000  0.000  0.000
//	MP3 320                             16  0.000  0.000  0.001
//	-12 dB                              16  0.000  0.000  0.007
//	MP3 128                             16  0.000  0.005  0.007
//	0.5 s silence in front              16  0.002  0.006  0.026
//	AAC 96                              16  0.001  0.010  0.047
//	1 s cut off                         16  0.004  0.011  0.040
//	MP3 64                              16  0.002  0.011  0.018
//	Opus 96                             16  0.002  0.012  0.017
//	Vorbis q2                           16  0.004  0.015  0.026
//	2 s silence in front                16  0.007  0.020  0.042
//	Opus 48                             16  0.005  0.023  0.031
//	0.2 s silence, -6 dB, MP3 64        16  0.017  0.053  0.063
//	62 ms cut off (half a step)         16  0.022  0.062  0.076
//	0.31 s cut off, MP3 64              16  0.022  0.063  0.077
//	any two files of one recording    4624  0.000  0.016  0.093
//	different, of near lengths       22830  0.332  0.478  0.531
//	different, of any lengths          120  0.255  0.477  0.571
//
// By their terms all 256 files are found, at 45 rows each, most of them of the
// recording itself: of 120 pairs of different pieces 118 share no term.
package fingerprint

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// Version of how fingerprints are made and looked up. Those of another version
// are not found: a change of either needs all to be made anew.
const Version = 1

// Fingerprint is a raw fingerprint of Chromaprint: one item every 0.124 s, each
// of which says of the next 2.6 s how the energy of the twelve semitones moves.
type Fingerprint []uint32

const (
	// threshold of the share of bits that differ: below, the recording is the
	// same. Nearer to what is the same than to what is not: a duplicate that is
	// missed costs less than a track that is taken for another.
	threshold = 0.15
	// tolerance of the lengths of two files of one recording, beside a tenth of
	// the longer: silence that was added or cut. An edit differs by more.
	tolerance = 3 * time.Second
	// reach is how far two fingerprints are moved against each other, in items:
	// the tolerance.
	reach = 25
	// minItems are what 8 seconds have.
	minItems = 43
	// minDistinct of them differ: silence has one, a constant tone a few, and all
	// constant tones of one pitch are alike.
	minDistinct = 24
)

// Parse reads what ffmpeg's chromaprint muxer writes as raw.
func Parse(raw []byte) (Fingerprint, error) {
	if len(raw)%4 != 0 {
		return nil, fmt.Errorf("a fingerprint of %d bytes: not a multiple of 4", len(raw))
	}
	f := make(Fingerprint, len(raw)/4)
	for i := range f {
		f[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return f, nil
}

// Bytes is what Parse reads.
func (f Fingerprint) Bytes() []byte {
	raw := make([]byte, 0, 4*len(f))
	for _, item := range f {
		raw = binary.LittleEndian.AppendUint32(raw, item)
	}
	return raw
}

// Tells says whether a recording can be recognised by its fingerprint.
func (f Fingerprint) Tells() bool {
	return len(f) >= minItems && len(f.distinct()) >= minDistinct
}

func (f Fingerprint) distinct() map[uint32]bool {
	d := make(map[uint32]bool, len(f))
	for _, item := range f {
		d[item] = true
	}
	return d
}

// Near says whether two files are as long as files of one recording can be.
func Near(a, b time.Duration) bool {
	return (a - b).Abs() <= min(tolerance, max(a, b)/10)
}

// Same says whether two fingerprints are of one recording. Those that tell too
// little never are.
func Same(a, b Fingerprint) bool {
	return a.Tells() && b.Tells() && Rate(a, b) < threshold
}

// Rate is the share of bits that differ between two fingerprints, where they
// are aligned best: 0 for the same, about 0.5 for those that share nothing, 1
// where they are too short to be aligned. At least three quarters of the
// shorter one must lie over the other.
func Rate(a, b Fingerprint) float64 {
	best := 1.
	least := max(min(len(a), len(b))*3/4, 1)
	for shift := -reach; shift <= reach; shift++ {
		x, y := a[min(max(shift, 0), len(a)):], b[min(max(-shift, 0), len(b)):]
		n := min(len(x), len(y))
		if n < least {
			continue
		}
		wrong := 0
		for i, item := range x[:n] {
			wrong += bits.OnesCount32(item ^ y[i])
		}
		best = min(best, float64(wrong)/float64(32*n))
	}
	return best
}
