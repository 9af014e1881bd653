package ffmpeg

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// text makes of a tag what can be stored.
func text(v string) string { return tidy(recovered(v)) }

// tidy leaves out what would not survive storing: NULs, and what is no UTF-8.
func tidy(v string) string {
	return strings.TrimSpace(string([]rune(strings.ReplaceAll(v, "\x00", " "))))
}

// recovered guesses the charset of a tag that does not tell it. Bytes that are
// not UTF-8 are tried as Shift_JIS, which Japanese programs write without saying
// so; likewise what a file calls Latin-1, if it has the control characters U+0080
// to U+009F: no real Latin-1 text does. Those may also be UTF-8, or Windows-1252.
// Where the bytes do not tell (Windows-1251, GBK, EUC), the text stays as it is,
// but for characters in the place of bytes that are no text.
func recovered(v string) string {
	switch raw, latin := latin1(v); {
	case !utf8.ValidString(v):
		if s, ok := shiftJIS([]byte(v)); ok {
			v = s
		}
	case latin && utf8.Valid(raw):
		v = string(raw)
	case latin:
		if s, ok := shiftJIS(raw); ok {
			v = s
		} else if s, err := charmap.Windows1252.NewDecoder().Bytes(raw); err == nil && !bytes.ContainsRune(s, utf8.RuneError) {
			v = string(s)
		}
	}
	return v
}

// latin1 gives the bytes of Latin-1 text that cannot be Latin-1.
func latin1(v string) (raw []byte, ok bool) {
	for _, r := range v {
		if r > 0xff {
			return nil, false
		}
		ok = ok || r >= 0x80 && r <= 0x9f
		raw = append(raw, byte(r))
	}
	return raw, ok
}

// shiftJIS decodes what is Shift_JIS beyond doubt: every byte of it, and with a
// kana, or two characters one after the other, of the rows that begin with 0x81
// to 0x9F. An apostrophe of Windows-1252 makes a kanji with the letter after it,
// but not two; letters of other encodings lie outside those rows.
func shiftJIS(raw []byte) (string, bool) {
	s, err := japanese.ShiftJIS.NewDecoder().Bytes(raw)
	if err != nil || bytes.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || r >= 0xe000 && r <= 0xf8ff }) {
		return "", false
	}
	sure, row := false, 0
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b >= 0x81 && b <= 0x9f:
			row++
			sure = sure || row == 2 || b == 0x82 && raw[i+1] >= 0x9f || b == 0x83 && raw[i+1] <= 0x96
			i++
		case b >= 0xe0:
			row = 0
			i++
		default:
			row = 0
		}
	}
	return string(s), sure
}

// ffprobe's answer is JSON, but for the bytes of tags that are no UTF-8. Go's
// decoder would lose them: they travel as characters that nobody uses, at the
// end of a private plane.
const private = 0x10ff00

func keep(answer []byte) []byte {
	if utf8.Valid(answer) {
		return answer
	}
	kept := make([]byte, 0, len(answer)+len(answer)/2)
	for len(answer) > 0 {
		r, n := utf8.DecodeRune(answer)
		if r == utf8.RuneError && n == 1 {
			kept = utf8.AppendRune(kept, private+rune(answer[0]))
		} else {
			kept = append(kept, answer[:n]...)
		}
		answer = answer[n:]
	}
	return kept
}

// unkeep gives the bytes back.
func unkeep(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= private+0x80 && r <= private+0xff }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r >= private+0x80 && r <= private+0xff {
			b.WriteByte(byte(r - private))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
