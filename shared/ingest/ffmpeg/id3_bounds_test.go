package ffmpeg

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// A tag that is cut adds nothing else than the whole one.
func TestID3Cut(t *testing.T) {
	t.Parallel()
	for _, tt := range id3Cases {
		for n := range min(len(tt.file), 2000) {
			got := id3Names{texts: map[string][]string{}, people: map[string][]string{}}
			if err := got.read(strings.NewReader(tt.file[:n])); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for key, values := range got.texts {
				if whole := tt.want[key]; whole != "" && !strings.HasPrefix(whole, strings.Join(values, ";")) {
					t.Errorf("%s, cut at %d: %q of %q", tt.name, n, values, whole)
				}
			}
		}
	}
}

// Whatever a tag claims, little is read and less is kept.
func TestID3Bounds(t *testing.T) {
	t.Parallel()
	const size = 1 << 28 // more than a tag can have
	texts := strings.Repeat(frame4("TCOM", 0, "\x03"+strings.Repeat("a\x00", 30_000)+"b"), 100)
	many := strings.Repeat(frame4("TXXX", 0, "\x03"), 1000)
	values := "\x03"
	for i := range 1000 {
		values += "producer\x00" + plain(0x30303030+i) + "\x00"
	}
	for _, tt := range []struct {
		name, begin string
		read        int64
		kept        int
	}{
		{"texts", tag(4, 0, texts), 2 << 20, 2},
		{"frames", tag(4, 0, many+frame4("TPE1", 0, "\x03A\x00B")), 8 << 20, 0},
		{"values", tag(4, 0, frame4("TIPL", 0, values)), 1 << 20, 100},
		{"a picture of all", "ID3\x04\x00\x00\x7f\x7f\x7f\x7fAPIC\x7f\x7f\x7f\x75\x00\x00", 64 << 10, 0},
		{"a text of all", "ID3\x04\x00\x00\x7f\x7f\x7f\x7fTPE1\x7f\x7f\x7f\x75\x00\x00", 64 << 10, 0},
		{"a text of all, unsynchronised", "ID3\x03\x00\x80\x7f\x7f\x7f\x7fTPE1\x0f\xff\xff\xf5\x00\x00", size + 4096, 0},
	} {
		got := id3Names{texts: map[string][]string{}, people: map[string][]string{}}
		file := &hollow{begin: tt.begin, size: size}
		if err := got.read(file); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", tt.name, err)
		}
		kept := 0
		for _, all := range []map[string][]string{got.texts, got.people} {
			for _, values := range all {
				kept += len(values)
			}
		}
		if kept != tt.kept || file.read > tt.read {
			t.Errorf("%s: %d values, %d bytes read", tt.name, kept, file.read)
		}
	}
}

// hollow is a file of zeros after its begin.
type hollow struct {
	begin string
	size  int64
	read  int64
}

func (h *hollow) ReadAt(p []byte, at int64) (n int, err error) {
	h.read += int64(len(p))
	if at >= h.size {
		return 0, io.EOF
	}
	clear(p)
	if at < int64(len(h.begin)) {
		copy(p, h.begin[at:])
	}
	return len(p), nil
}

func FuzzID3(f *testing.F) {
	for _, tt := range id3Cases {
		if len(tt.file) < 4096 {
			f.Add([]byte(tt.file))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got := id3Names{texts: map[string][]string{}, people: map[string][]string{}}
		if err := got.read(bytes.NewReader(content)); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		for _, all := range []map[string][]string{got.texts, got.people} {
			for key, values := range all {
				if len(values) > maxID3Values {
					t.Errorf("%d of %s", len(values), key)
				}
				for _, v := range values {
					if v == "" || tidy(v) != v || strings.ContainsAny(v, "\n\x00") {
						t.Errorf("%s %q", key, v)
					}
				}
			}
		}
	})
}
