package ffmpeg

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/segue-audio/segue/shared/playback"
)

// SeekTable lists where a decoder can begin in a rendition that Encode made.
func SeekTable(file string, format playback.Format) (playback.SeekTable, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	read := oggPoints
	if format == playback.AAC {
		read = fragments
	}
	samples, offsets, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("seek table of %s: %w", format, err)
	}
	return playback.NewSeekTable(samples, offsets, SampleRate)
}

// fragments reads the index that lies before the first fragment. Its times are
// those that are heard: the encoder's delay is not in them.
// ISO/IEC 14496-12, 8.16.3
func fragments(f *os.File) (samples, offsets []int64, err error) {
	for at := int64(0); ; {
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return nil, nil, err
		}
		h, err := mp4.DecodeHeader(f)
		if err != nil {
			return nil, nil, fmt.Errorf("there is no index: %w", err)
		}
		at += int64(h.Size)
		if h.Name != "sidx" {
			continue
		}
		box, err := mp4.DecodeSidx(h, uint64(at)-h.Size, f)
		if err != nil {
			return nil, nil, err
		}
		index, ok := box.(*mp4.SidxBox)
		if !ok || index.Timescale != SampleRate {
			return nil, nil, errors.New("the index is not in samples")
		}
		begin, offset := int64(index.EarliestPresentationTime), at+int64(index.FirstOffset)
		for _, r := range index.SidxRefs {
			samples, offsets = append(samples, begin), append(offsets, offset)
			begin, offset = begin+int64(r.SubSegmentDuration), offset+int64(r.ReferencedSize)
		}
		return samples, offsets, nil
	}
}

// oggPoints reads the pages' headers. A page's position says how many samples
// have ended in it: the next page begins there.
// https://www.rfc-editor.org/rfc/rfc3533#section-6
func oggPoints(f *os.File) (samples, offsets []int64, err error) {
	r := bufio.NewReaderSize(f, oggPageMax)
	ended := int64(0)
	for at := int64(0); ; {
		header, err := r.Peek(oggHeader)
		if errors.Is(err, io.EOF) && len(header) == 0 {
			return samples, offsets, nil
		}
		if err != nil || string(header[:5]) != "OggS\x00" {
			return nil, nil, fmt.Errorf("no Ogg page at byte %d: %w", at, errors.Join(err))
		}
		position := int64(binary.LittleEndian.Uint64(header[6:]))
		size, err := oggPageSize(r)
		if err != nil {
			return nil, nil, err
		}
		// The pages of the codec's headers hold no samples; no position, -1, is
		// that of a page in which no packet ends.
		if position > 0 {
			samples, offsets = append(samples, ended), append(offsets, at)
			ended = position
		}
		if _, err := r.Discard(size); err != nil {
			return nil, nil, fmt.Errorf("the Ogg page at byte %d is cut: %w", at, err)
		}
		at += int64(size)
	}
}

func oggPageSize(r *bufio.Reader) (int, error) {
	header, err := r.Peek(oggHeader)
	if err != nil {
		return 0, err
	}
	n := oggHeader + int(header[oggHeader-1])
	if header, err = r.Peek(n); err != nil {
		return 0, err
	}
	for _, segment := range header[oggHeader:] {
		n += int(segment)
	}
	return n, nil
}
