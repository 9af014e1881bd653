package ffmpeg

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds of what is read of an ID3 tag. The format allows 256 MB, nearly all of
// it pictures: those are skipped.
const (
	maxID3Frames = 1000
	maxID3Frame  = 64 << 10 // of one text
	maxID3Text   = 1 << 20  // of all texts
	maxID3Values = 100      // of one name
)

// id3Tags adds to an MP3's tags what ffprobe leaves out of ID3: of a text that
// has several values it tells the first, of a list of people the first word.
// Values are joined with ";", which therefore separates inside a value too, as it
// does where the tag has but one. A tag that is malformed adds what comes before
// the fault; a file that has none, nothing.
func id3Tags(file string, tags map[string]string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	found := id3Names{texts: map[string][]string{}, people: map[string][]string{}}
	if err := found.read(f); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read ID3: %w", err)
	}
	for key, values := range found.texts {
		// What is one to us, ffprobe tells as well.
		if len(values) > 1 {
			tags[key] = strings.Join(values, ";")
		}
	}
	for key, names := range found.people {
		if tags[key] != "" {
			names = append([]string{tags[key]}, names...)
		}
		tags[key] = strings.Join(names, ";")
	}
	return nil
}

// read reads the texts of the tag at the begin of an MP3, of version 2.3 or 2.4.
// https://id3.org/id3v2.3.0
// https://id3.org/id3v2.4.0-structure
func (n id3Names) read(f io.ReaderAt) error {
	var h [10]byte
	if _, err := f.ReadAt(h[:], 0); err != nil {
		return err
	}
	size, ok := syncsafe(h[6:])
	if !ok || string(h[:3]) != "ID3" || h[3] != 3 && h[3] != 4 {
		return nil
	}
	t := id3{version: h[3], unsync: h[5]&0x80 != 0, file: io.NewSectionReader(f, int64(len(h)), size)}
	t.Reader = bufio.NewReader(t.file)
	if t.version == 3 && t.unsync {
		// Of the tag as a whole: no place in it can be told without reading on.
		t.Reader, t.file = bufio.NewReader(&resync{r: t.file}), nil
	}
	if h[5]&0x40 != 0 {
		if err := t.extended(); err != nil {
			return err
		}
	}
	budget := int64(maxID3Text)
	for range maxID3Frames {
		id, size, flags, err := t.frame()
		if err != nil {
			return err
		}
		if !id3Wanted(id) || size > min(budget, maxID3Frame) {
			if err := t.skip(size); err != nil {
				return err
			}
			continue
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(t, data); err != nil {
			return err
		}
		budget -= size
		if data, ok := t.content(data, flags); ok {
			n.add(id, data)
		}
	}
	return nil
}

// id3 is what of a tag lies ahead.
type id3 struct {
	*bufio.Reader
	file    *io.SectionReader // under the reader, or nil if that has no places
	version byte
	unsync  bool
}

// skip goes on without reading, where it can. Beyond the end there is nothing to
// read.
func (t *id3) skip(n int64) error {
	ahead := n - int64(t.Buffered())
	if ahead <= 0 || t.file == nil {
		_, err := io.CopyN(io.Discard, t, n)
		return err
	}
	if _, err := t.file.Seek(ahead, io.SeekCurrent); err != nil {
		return err
	}
	t.Reset(t.file)
	return nil
}

// syncsafe reads a number of seven bits a byte.
func syncsafe(b []byte) (int64, bool) {
	n := binary.BigEndian.Uint32(b)
	return int64(n&0x7f | n>>1&0x3f80 | n>>2&0x1fc000 | n>>3&0xfe00000), n&0x80808080 == 0
}
