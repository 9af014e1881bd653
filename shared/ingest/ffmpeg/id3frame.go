package ffmpeg

import (
	"bytes"
	"encoding/binary"
	"io"
)

const id3Header = 10 // of a frame

// extended skips the extended header. Some programs announce one that is not
// there.
func (t *id3) extended() error {
	b, err := t.Peek(4)
	if err != nil || isID3Frame(b) {
		return err
	}
	size := 4 + int64(binary.BigEndian.Uint32(b))
	if t.version == 4 {
		size, _ = syncsafe(b) // which counts itself
	}
	if size < 4 {
		return io.ErrUnexpectedEOF
	}
	return t.skip(size)
}

// frame reads the header of the next one; io.EOF where there is none.
func (t *id3) frame() (id string, size int64, flags byte, err error) {
	h, err := t.Peek(id3Header)
	if err != nil {
		return "", 0, 0, err
	}
	if !isID3Frame(h) {
		return "", 0, 0, io.EOF // padding, most likely
	}
	id, size, flags = string(h[:4]), int64(binary.BigEndian.Uint32(h[4:])), h[9]
	if t.version == 4 {
		if size, err = t.size(size, h[4:8]); err != nil {
			return "", 0, 0, err
		}
	}
	return id, size, flags, t.skip(id3Header)
}

// size tells which kind of number a size of version 2.4 is: iTunes wrote those of
// 2.3. The right one leads to another frame, to the tag's end or to padding.
func (t *id3) size(plain int64, b []byte) (int64, error) {
	safe, ok := syncsafe(b)
	if !ok || safe == plain {
		return plain, nil
	}
	at, err := t.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	at += id3Header - int64(t.Buffered())
	next := func(size int64) (next [4]byte) {
		if at+size == t.file.Size() {
			return [4]byte{'L', 'A', 'S', 'T'}
		}
		next[0] = 0xff // nothing that may follow
		_, _ = t.file.ReadAt(next[:], at+size)
		return next
	}
	afterSafe, afterPlain := next(safe), next(plain)
	switch {
	case isID3Frame(afterSafe[:]):
		return safe, nil
	case isID3Frame(afterPlain[:]):
		return plain, nil
	case afterSafe != [4]byte{} && afterPlain == [4]byte{}:
		return plain, nil
	}
	return safe, nil
}

func isID3Frame(b []byte) bool {
	for i, c := range b[:4] {
		if (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// content takes off what a frame's flags put before its content. What is
// compressed or encrypted is left unread.
func (t *id3) content(data []byte, flags byte) ([]byte, bool) {
	before := 0
	if t.version == 3 {
		if flags&0xc0 != 0 {
			return nil, false
		}
		before = int(flags >> 5 & 1) // its group
	} else {
		if flags&0x0c != 0 {
			return nil, false
		}
		before = int(flags>>6&1 + flags&1*4) // its group, its length
	}
	if before > len(data) {
		return nil, false
	}
	data = data[before:]
	if t.version == 4 && (t.unsync || flags&2 != 0) {
		data, _ = io.ReadAll(&resync{r: bytes.NewReader(data)})
	}
	return data, true
}

// resync drops the zeros that were put after each 0xFF, so that nothing in a tag
// looks like audio.
type resync struct {
	r  io.Reader
	ff bool
}

func (u *resync) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	p = p[:n]
	if !u.ff && bytes.IndexByte(p, 0xff) < 0 {
		return n, err
	}
	n = 0
	for _, b := range p {
		if !u.ff || b != 0 {
			p[n] = b
			n++
		}
		u.ff = b == 0xff
	}
	return n, err
}
