package playback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// SeekPoint is a place where a decoder can begin: the start of a fragment (AAC)
// or of a page of about a second (Ogg). What is heard from Ms on, and before the
// next point, lies there. A decoder needs what comes before to be exact in its
// first frames: to begin at a moment, begin one point earlier and drop what is
// heard before the moment.
type SeekPoint struct {
	Ms     uint32
	Offset uint32 // in the file, as in the ciphertext
}

// SeekTable is the content of the seek object, by rising time. Its first point
// is 0 ms, where the audio begins; what is before that is the file's header.
type SeekTable []SeekPoint

// NewSeekTable makes a table of points whose times are in samples, rounded up to
// milliseconds, so that no point is later than it says.
func NewSeekTable(samples, offsets []int64, sampleRate int64) (SeekTable, error) {
	t := make(SeekTable, 0, len(samples))
	for i, at := range samples {
		ms := (max(at, 0)*1000 + sampleRate - 1) / sampleRate
		if ms > math.MaxUint32 || offsets[i] > math.MaxUint32 {
			return nil, fmt.Errorf("seek point of %d ms at byte %d does not fit in 32 bits", ms, offsets[i])
		}
		p := SeekPoint{uint32(ms), uint32(offsets[i])}
		if n := len(t); n > 0 && p.Ms == t[n-1].Ms {
			continue // the earlier one holds what both begin
		}
		t = append(t, p)
	}
	return t, t.check()
}

// Bytes is the object: little-endian uint32 pairs of milliseconds and offset.
func (t SeekTable) Bytes() []byte {
	b := make([]byte, 0, 8*len(t))
	for _, p := range t {
		b = binary.LittleEndian.AppendUint32(b, p.Ms)
		b = binary.LittleEndian.AppendUint32(b, p.Offset)
	}
	return b
}

// ParseSeekTable reads and checks the object.
func ParseSeekTable(b []byte) (SeekTable, error) {
	if len(b)%8 != 0 {
		return nil, fmt.Errorf("a seek table of %d bytes is not whole pairs", len(b))
	}
	t := make(SeekTable, 0, len(b)/8)
	for pair := range slices.Chunk(b, 8) {
		t = append(t, SeekPoint{binary.LittleEndian.Uint32(pair), binary.LittleEndian.Uint32(pair[4:])})
	}
	return t, t.check()
}

func (t SeekTable) check() error {
	if len(t) == 0 || t[0].Ms != 0 {
		return errors.New("a seek table begins at 0 ms")
	}
	for i, p := range t[1:] {
		if p.Ms <= t[i].Ms || p.Offset <= t[i].Offset {
			return fmt.Errorf("seek point %d is not after the one before", i+1)
		}
	}
	return nil
}

// Find is the index of the point that a moment lies in.
func (t SeekTable) Find(ms uint32) int {
	return max(sort.Search(len(t), func(i int) bool { return t[i].Ms > ms })-1, 0)
}
