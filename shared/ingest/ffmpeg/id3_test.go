package ffmpeg

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func safe(n int) string {
	return string([]byte{byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)})
}

func plain(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

// frame3 and frame4 are frames of 2.3 and 2.4; their flags are of the second byte.
func frame3(id string, flags byte, s string) string {
	return id + plain(len(s)) + string([]byte{0, flags}) + s
}

func frame4(id string, flags byte, s string) string {
	return id + safe(len(s)) + string([]byte{0, flags}) + s
}

func tag(version, flags byte, body string) string {
	return "ID3" + string([]byte{version, 0, flags}) + safe(len(body)) + body
}

func unsync(s string) string { return strings.ReplaceAll(s, "\xff", "\xff\x00") }

// audio comes after each tag. It looks like a frame of one.
const audio = "TPE1\x00\x00\x00\x05\x00\x00\x03not it"

var id3Cases = []struct {
	name, file string
	want       map[string]string
}{
	{
		"several values", tag(4, 0, frame4("TPE1", 0, "\x03One\x00Two\x00One\x00\x00")+frame4("TPE2", 0, "\x03AA\x00BB")+frame4("TCOM", 0, "\x03C\x00D")+frame4("TEXT", 0, "\x03E\x00F")+
			frame4("TPE4", 0, "\x03G\x00H")+frame4("TCOP", 0, "\x03I\x00J")+frame4("TSRC", 0, "\x03K\x00L")+frame4("TIT2", 0, "\x03M\x00N")),
		of{"artist": "One;Two", "album_artist": "AA;BB", "composer": "C;D", "text": "E;F", "tpe4": "G;H", "copyright": "I;J", "tsrc": "K;L"},
	},
	{"one value is ffprobe's", tag(4, 0, frame4("TPE1", 0, "\x03One\x00\x00")), of{}},
	{"several frames", tag(3, 0, frame3("TPE1", 0, "\x00One")+frame3("TPE1", 0, "\x00Two")), of{"artist": "One;Two"}},
	{"NULs in 2.3", tag(3, 0, frame3("TPE1", 0, "\x00AC/DC\x00A & B, C")), of{"artist": "AC/DC;A & B, C"}},
	{"a slash", tag(3, 0, frame3("TPE1", 0, "\x00AC/DC")), of{}},
	{"a semicolon separates", tag(4, 0, frame4("TPE1", 0, "\x03A;B\x00C")), of{"artist": "A;B;C"}},
	{"lines are one", tag(4, 0, frame4("TPE1", 0, "\x03A\nB\x00C")), of{"artist": "A B;C"}},
	{"Latin-1", tag(4, 0, frame4("TPE1", 0, "\x00\xc5se\x00\xd6")), of{"artist": "Åse;Ö"}},
	{"Shift_JIS under its name", tag(4, 0, frame4("TPE1", 0, "\x00\x93\xfa\x96{\x00\x82\xa0")), of{"artist": "日本;あ"}},
	{"Shift_JIS as UTF-8", tag(4, 0, frame4("TPE1", 0, "\x03\x93\xfa\x96{\x00\x82\xa0")), of{"artist": "日本;あ"}},
	{"no UTF-8", tag(4, 0, frame4("TPE1", 0, "\x03a\xff\x00b")), of{"artist": "a\uFFFD;b"}},
	{"UTF-16", tag(4, 0, frame4("TPE1", 0, "\x01\xff\xfeA\x00e\x01\x00\x00\xff\xfeB\x00\x00\x00")), of{"artist": "Ať;B"}},
	{"UTF-16, two orders", tag(4, 0, frame4("TPE1", 0, "\x01\xff\xfeA\x00\x00\x00\xfe\xff\x00B\x00\x00!")), of{"artist": "A;B"}},
	{"UTF-16, one mark", tag(4, 0, frame4("TPE1", 0, "\x01\xfe\xff\x00A\x00\x00\xd8\x3c\xdf\xb5")), of{"artist": "A;🎵"}},
	{"UTF-16, half a character", tag(4, 0, frame4("TPE1", 0, "\x02\x00A\x00\x00\xd8\x3c")), of{"artist": "A;\uFFFD"}},
	{"UTF-16 without a mark", tag(4, 0, frame4("TPE1", 0, "\x01A\x00\x00\x00B\x00")), of{}},
	{"UTF-16BE", tag(4, 0, frame4("TPE1", 0, "\x02\x00A\x00\x00\x00B")), of{"artist": "A;B"}},
	{"no such encoding", tag(4, 0, frame4("TPE1", 0, "\x04A\x00B")+frame4("TCOM", 0, "\x03C\x00D")), of{"composer": "C;D"}},
	{"empty", tag(4, 0, frame4("TPE1", 0, "")+frame4("TIPL", 0, "\x03")+frame4("TXXX", 0, "\x01")+frame4("TCOM", 0, "\x03C\x00D")), of{"composer": "C;D"}},
	{
		"people", tag(4, 0, frame4("TIPL", 0, "\x03producer\x00P\x00Mix\x00M\x00engineer\x00E\x00arranger\x00A\x00producer\x00Q\x00catering\x00X\x00producer")),
		of{"producer": "P;Q", "mixer": "M", "engineer": "E", "arranger": "A"},
	},
	{"people without parts", tag(4, 0, frame4("TIPL", 0, "\x03\x00X\x00producer\x00\x00mix\x00M")), of{"mixer": "M"}},
	{"people in UTF-16", tag(3, 0, frame3("IPLS", 0, "\x01\xff\xfem\x00i\x00x\x00\x00\x00\xff\xfeM\x00\x00\x00")), of{"mixer": "M"}},
	{"people of 2.3", tag(3, 0, frame3("IPLS", 0, "\x00producer\x00P\x00guitar\x00X\x00vocals\x00V")), of{"producer": "P", "performers": "V (vocals)"}},
	{"musicians", tag(4, 0, frame4("TMCL", 0, "\x03guitar\x00G\x00performer\x00P\x00a;b\x00H\x00\x00N\x00drums\x00")), of{"performers": "G (guitar);P;H (a,b);N"}},
	{"others' names", tag(4, 0, frame4("TXXX", 0, "\x03Producer\x00P\x00Q")+frame4("TIPL", 0, "\x03producer\x00R")+frame4("TXXX", 0, "\x03Mood\x00A\x00B")), of{"producer": "P;Q;R"}},
	{"genres", tag(4, 0, frame4("TCON", 0, "\x0317\x00House\x00(4)\x00RX")), of{"genre": "Rock;House;Disco;Remix"}},
	{"genres of 2.3", tag(3, 0, frame3("TCON", 0, "\x00(51)(39)((A) B")), of{"genre": "Techno-Industrial;Noise;(A) B"}},
	{"no genres' numbers", tag(3, 0, frame3("TCON", 0, "\x00(192)\x00(x\x00-1\x00(CR)\x00(191)")), of{"genre": "(192);(x;-1;Cover;Psybient"}},
	{"unsynchronised 2.3", tag(3, 0x80, unsync(frame3("APIC", 0, "\xff\xe0\xff\x00")+frame3("TPE1", 0, "\x01\xff\xfeA\x00\x00\x00\xff\xfeB\x00"))), of{"artist": "A;B"}},
	{"unsynchronised 2.4", tag(4, 0, frame4("APIC", 2, unsync("\xff\xff"))+frame4("TPE1", 2, unsync("\x01\xff\xfeA\x00\x00\x00\xff\xfeB\x00"))), of{"artist": "A;B"}},
	{"unsynchronised 2.4 by the header", tag(4, 0x80, frame4("TPE1", 0, unsync("\x01\xff\xfeA\x00\x00\x00\xff\xfeB\x00"))), of{"artist": "A;B"}},
	{"extended 2.3", tag(3, 0x40, plain(6)+"123456"+frame3("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"extended 2.4", tag(4, 0x40, safe(6)+"\x01\x00"+frame4("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"extended, but not", tag(4, 0x40, frame4("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"extended beyond the end", tag(4, 0x40, "\x7f\x7f\x7f\x7f"+frame4("TPE1", 0, "\x00A\x00B")), of{}},
	{"extended by nothing", tag(4, 0x40, safe(0)+frame4("TPE1", 0, "\x00A\x00B")), of{}},
	{"a length", tag(4, 0, frame4("TPE1", 1, safe(4)+"\x00A\x00B")), of{"artist": "A;B"}},
	{"a group and a length", tag(4, 0, frame4("TPE1", 0x41, "g"+safe(4)+"\x00A\x00B")), of{"artist": "A;B"}},
	{"a group in 2.3", tag(3, 0, frame3("TPE1", 0x20, "g\x00A\x00B")), of{"artist": "A;B"}},
	{"a length that is cut", tag(4, 0, frame4("TPE1", 1, "\x00A")+frame4("TCOM", 0, "\x00A\x00B")), of{"composer": "A;B"}},
	{"compressed, encrypted", tag(4, 0, frame4("TPE1", 9, safe(4)+"\x00A\x00B")+frame4("TPE1", 4, "\x00A\x00B")+frame4("TCOM", 0, "\x00A\x00B")), of{"composer": "A;B"}},
	{"compressed, encrypted in 2.3", tag(3, 0, frame3("TPE1", 0x80, "\x00A\x00B")+frame3("TPE1", 0x40, "\x00A\x00B")+frame3("TCOM", 0, "\x00A\x00B")), of{"composer": "A;B"}},
	{"a long frame", tag(4, 0, frame4("APIC", 0, picture)+frame4("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"a long frame of iTunes", tag(4, 0, frame3("APIC", 0, picture)+frame3("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"a long frame of iTunes, of low bytes", tag(4, 0, frame3("APIC", 0, picture[:0x1234])+frame3("TPE1", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"the last frame, of iTunes", tag(4, 0, frame3("TPE1", 0, "\x00A\x00"+strings.Repeat("B", 200))), of{"artist": "A;" + strings.Repeat("B", 200)}},
	{"the last frame of iTunes before padding", tag(4, 0, frame3("TPE1", 0, "\x00A\x00"+strings.Repeat("b", 0x110))+strings.Repeat("\x00", 50)), of{"artist": "A;" + strings.Repeat("b", 0x110)}},
	{"the last frame before padding", tag(4, 0, frame4("TPE1", 0, "\x00A\x00"+strings.Repeat("B", 200))+strings.Repeat("\x00", 500)), of{"artist": "A;" + strings.Repeat("B", 200)}},
	{"too long a text", tag(4, 0, frame4("TPE1", 0, "\x00A\x00"+strings.Repeat("B", 64<<10))+frame4("TCOM", 0, "\x00A\x00B")), of{"composer": "A;B"}},
	{"padding", tag(4, 0, frame4("TPE1", 0, "\x00A\x00B")+strings.Repeat("\x00", 30)+frame4("TCOM", 0, "\x00A\x00B")), of{"artist": "A;B"}},
	{"a frame beyond the end", tag(4, 0, frame4("TPE1", 0, "\x00A\x00B")+"TCOM"+safe(99)+"\x00\x00\x00A\x00B"), of{"artist": "A;B"}},
	{"sizes of everything", tag(3, 0, frame3("TPE1", 0, "\x00A\x00B")+"TCOM\xff\xff\xff\xff\x00\x00\x00A\x00B"), of{"artist": "A;B"}},
	{"a footer", tag(4, 0x10, frame4("TPE1", 0, "\x00A\x00B")) + "3DI\x04\x00\x10" + safe(14), of{"artist": "A;B"}},
	{"2.2", tag(2, 0, "TP1\x00\x00\x04\x00A\x00B"), of{}},
	{"a size that is none", "ID3\x04\x00\x00\x00\x00\x00\x80" + frame4("TPE1", 0, "\x00A\x00B"), of{}},
	{"no tag", "RIFF\x00\x00\x00\x00WAVEfmt ", of{}},
	{"nothing", "", of{}},
}

type of = map[string]string

// picture has bytes of all kinds, but nothing like a frame in it.
var picture = strings.Repeat("\x89PNG\r\n\x1a\n....", 20_000)

func write(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.mp3")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestID3(t *testing.T) {
	t.Parallel()
	for _, tt := range id3Cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := of{}
			if err := id3Tags(write(t, tt.file+audio), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What ffprobe told gives way to several values, and stays beside people.
func TestID3BesideFFprobe(t *testing.T) {
	t.Parallel()
	tags := of{"artist": "A", "producer": "P", "title": "T", "composer": "C"}
	file := write(t, tag(4, 0, frame4("TPE1", 0, "\x03A\x00B")+frame4("TIPL", 0, "\x03producer\x00Q")+frame4("TCOM", 0, "\x03D")))
	if err := id3Tags(file, tags); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(of{"artist": "A;B", "producer": "P;Q", "title": "T", "composer": "C"}, tags); diff != "" {
		t.Error(diff)
	}
	if err := id3Tags(filepath.Join(t.TempDir(), "none"), tags); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	broken := errors.New("broken")
	if err := (id3Names{}).read(readerAt(func() error { return broken })); !errors.Is(err, broken) {
		t.Errorf("no disk: %v", err)
	}
}

type readerAt func() error

func (r readerAt) ReadAt([]byte, int64) (int, error) { return 0, r() }
