package ffmpeg

import (
	"bytes"
	"io"
	"os"
)

// An Ogg page: a header with the lengths of its segments, then those.
// https://www.rfc-editor.org/rfc/rfc3533#section-6
const (
	oggHeader  = 27
	oggPageMax = oggHeader + 255 + 255*255
)

// CheckOggEnd is ErrFile for an Ogg file that was cut within a page. Ogg has no
// length in its header, so that decoding cannot tell: the page is just dropped.
func CheckOggEnd(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	end, err := io.ReadAll(io.NewSectionReader(f, max(0, stat.Size()-oggPageMax), oggPageMax))
	if err != nil {
		return err
	}
	page := bytes.LastIndex(end, []byte("OggS\x00"))
	if page < 0 {
		return &ErrFile{"no Ogg page at its end"}
	}
	if end = end[page:]; !wholePage(end) {
		return &ErrFile{"its last Ogg page is cut"}
	}
	return nil
}

func wholePage(b []byte) bool {
	if len(b) < oggHeader {
		return false
	}
	header := oggHeader + int(b[oggHeader-1])
	if len(b) < header {
		return false
	}
	for _, segment := range b[oggHeader:header] {
		header += int(segment)
	}
	return len(b) >= header
}
