// Package imagestest makes pictures for tests: whole ones, ones that say more
// than their pixels, and ones that are larger than they look.
package imagestest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// Corners of Picture: top left, top right, bottom left, bottom right.
var Corners = [4]color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 0, 255}}

// Picture has a colour in each quarter, by which its way up is known.
func Picture(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetRGBA(x, y, Corners[2*y/height*2+2*x/width])
		}
	}
	return m
}

// JPEG is Picture as JPEG.
func JPEG(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, Picture(width, height), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// PNG is a picture as PNG.
func PNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// EXIF says which way up a picture is.
func EXIF(orientation uint16) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	b = binary.BigEndian.AppendUint16(b, orientation)
	return append(b, 0, 0, 0, 0, 0, 0)
}

// Talkative adds to a JPEG EXIF, an ICC profile and a comment.
func Talkative(picture []byte, orientation uint16) []byte {
	b := append([]byte{}, picture[:2]...)
	for _, s := range []struct {
		marker  byte
		content []byte
	}{
		{0xe1, append([]byte("Exif\x00\x00"), EXIF(orientation)...)},
		{0xe2, []byte("ICC_PROFILE\x00\x01\x01not a profile")},
		{0xfe, []byte("a secret comment")},
	} {
		b = append(b, 0xff, s.marker)
		b = binary.BigEndian.AppendUint16(b, uint16(len(s.content)+2))
		b = append(b, s.content...)
	}
	return append(b, picture[2:]...)
}

// Chunk is one of a PNG's.
func Chunk(kind string, content []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(append(b, kind...), content...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// APIC is an ID3v2.3 tag with a picture, for the beginning of an MP3.
// https://id3.org/id3v2.3.0
func APIC(picture []byte, mime string) []byte {
	frame := append([]byte("\x00"+mime+"\x00\x03\x00"), picture...)
	n := len(frame) + 10
	tag := []byte{'I', 'D', '3', 3, 0, 0, byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}
	tag = binary.BigEndian.AppendUint32(append(tag, "APIC"...), uint32(len(frame)))
	return append(append(tag, 0, 0), frame...)
}

// BlockPicture is a picture as FLAC and, in base64, Ogg have it.
// https://www.rfc-editor.org/rfc/rfc9639#section-8.8
func BlockPicture(picture []byte, mime string) []byte {
	b := binary.BigEndian.AppendUint32(nil, 3)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(mime))), mime...)
	b = append(b, make([]byte, 5*4)...)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(picture))), picture...)
}

// Bomb is a black PNG of one bit a pixel, which is short for what it decodes to.
func Bomb(t testing.TB, width, height int) []byte {
	t.Helper()
	head := binary.BigEndian.AppendUint32(nil, uint32(width))
	head = append(binary.BigEndian.AppendUint32(head, uint32(height)), 1, 0, 0, 0, 0)
	var pixels bytes.Buffer
	z, err := zlib.NewWriterLevel(&pixels, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	// Many rows at a time, which are all alike.
	length := (1 + (width+7)/8) * height
	zeros := make([]byte, min(length, 1<<20))
	for ; length > 0; length -= len(zeros) {
		if _, err := z.Write(zeros[:min(length, len(zeros))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b := append([]byte("\x89PNG\r\n\x1a\n"), Chunk("IHDR", head)...)
	return append(append(b, Chunk("IDAT", pixels.Bytes())...), Chunk("IEND", nil)...)
}

// Flat is a JPEG of 16 × 16 px of one colour in four components, as Photoshop
// writes CMYK: inverted, with its marker. A progressive one has a scan of the
// blocks' means alone. ITU-T T.81, annex B.
func Flat(c, m, y, k byte, progressive bool) []byte {
	segment := func(b []byte, marker byte, content ...byte) []byte {
		b = append(b, 0xff, marker)
		return append(binary.BigEndian.AppendUint16(b, uint16(len(content)+2)), content...)
	}
	b := segment([]byte{0xff, 0xd8}, 0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")...)
	b = segment(b, 0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...)...) // a mean of v is a DC of v
	frame := []byte{8, 0, 16, 0, 16, 4}
	scan := []byte{4}
	for id := byte(1); id <= 4; id++ {
		frame = append(frame, id, 0x11, 0)
		scan = append(scan, id, 0)
	}
	start, last := byte(0xc0), byte(63)
	if progressive {
		start, last = 0xc2, 0
	}
	b = segment(b, start, frame...)
	// Of DC the twelve lengths, four bits each; of AC the end of a block, one bit.
	b = segment(b, 0xc4, 0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	b = segment(b, 0xc4, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = segment(b, 0xda, append(scan, 0, last, 0)...)
	var bits bitWriter
	for block := range 4 {
		for _, v := range []byte{c, m, y, k} {
			diff := 0
			if block == 0 {
				diff = int(^v) - 128
			}
			bits.dc(diff)
			if !progressive {
				bits.put(0, 1)
			}
		}
	}
	return append(bits.end(b), 0xff, 0xd9)
}

type bitWriter struct{ bits []byte }

func (w *bitWriter) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(v>>i&1))
	}
}

func (w *bitWriter) dc(diff int) {
	size := 0
	for a := max(diff, -diff); a > 0; a >>= 1 {
		size++
	}
	w.put(size, 4)
	if diff < 0 {
		diff += 1<<size - 1
	}
	w.put(diff, size)
}

// end appends the bits, filled up with ones; after 0xff comes a zero.
func (w *bitWriter) end(b []byte) []byte {
	for len(w.bits)%8 != 0 {
		w.bits = append(w.bits, 1)
	}
	for i := 0; i < len(w.bits); i += 8 {
		var v byte
		for _, bit := range w.bits[i : i+8] {
			v = v<<1 | bit
		}
		if b = append(b, v); v == 0xff {
			b = append(b, 0)
		}
	}
	return b
}
