package ffmpeg_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// pages are the offsets at which the pages of an Ogg file begin, and its end.
func pages(b []byte) []int {
	at := []int{0}
	for p := 0; p < len(b); at = append(at, p) {
		segments := int(b[p+26])
		size := 27 + segments
		for _, s := range b[p+27 : p+27+segments] {
			size += int(s)
		}
		p += size
	}
	return at
}

// fixOgg gives the pages of a file that was changed their right checksums.
// https://www.rfc-editor.org/rfc/rfc3533#section-6
func fixOgg(b []byte) []byte {
	at := pages(b)
	for i := range len(at) - 1 {
		page := b[at[i]:at[i+1]]
		clear(page[22:26])
		var crc uint32
		for _, c := range page {
			crc ^= uint32(c) << 24
			for range 8 {
				if crc&(1<<31) != 0 {
					crc = crc<<1 ^ 0x04c11db7
				} else {
					crc <<= 1
				}
			}
		}
		binary.LittleEndian.PutUint32(page[22:], crc)
	}
	return b
}

func TestCheckOggEnd(t *testing.T) {
	t.Parallel()
	file := ingesttest.Audio(t, "anoisesrc=d=3", "-c:a", "libvorbis", "a.ogg")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := pages(whole)
	last := at[len(at)-2]
	for _, tt := range []struct {
		name    string
		content []byte
		whole   bool
	}{
		{"whole", whole, true},
		{"ends with a page", whole[:last], true},
		{"with another tagger's bytes behind", append(append([]byte{}, whole...), "TAG"...), true},
		{"one byte short", whole[:len(whole)-1], false},
		{"cut within a page", whole[:at[3]+(at[4]-at[3])/2], false},
		{"cut within the lengths of a page", whole[:last+28], false},
		{"cut within the header of a page", whole[:last+10], false},
		{"no Ogg", make([]byte, 1<<20), false},
		{"empty", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := ffmpeg.CheckOggEnd(write(t, "a.ogg", tt.content))
			var bad *ffmpeg.ErrFile
			if tt.whole && err != nil || !tt.whole && !errors.As(err, &bad) {
				t.Errorf("got %v", err)
			}
		})
	}
}
