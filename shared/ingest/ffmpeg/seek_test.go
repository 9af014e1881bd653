package ffmpeg_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// sweep never sounds the same twice, so that a wrong place is heard.
const sweep = "aevalsrc=0.5*sin(2*PI*(200*t+20*t*t))|0.5*sin(2*PI*(3000*t-15*t*t)):s=44100:d=17.3"

const sweepMs = 17_300

type packet struct {
	samples int64 // where it begins to be heard
	pos     int64
}

func packets(t *testing.T, file string) (all []packet) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "packet=pts,pos", "-of", "json", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Packets []struct {
			PTS int64  `json:"pts"`
			Pos string `json:"pos"`
		} `json:"packets"`
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	for _, k := range p.Packets {
		pos, err := strconv.ParseInt(k.Pos, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packet{k.PTS, pos})
	}
	return all
}

// Any millisecond lands on the fragment or page in which it is heard.
func TestSeekTable(t *testing.T) {
	t.Parallel()
	source := ingesttest.Audio(t, sweep, "-c:a", "pcm_s16le", "a.wav")
	for _, r := range playback.Renditions() {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			file, _ := encode(t, source, r)
			table, err := ffmpeg.SeekTable(file, r.Format)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := playback.ParseSeekTable(table.Bytes()); err != nil || !slices.Equal(again, table) {
				t.Errorf("read again it is %v, %v", again, err)
			}
			atLeast, atMost := map[playback.Format]int{playback.AAC: 8, playback.Ogg: 17}[r.Format], map[playback.Format]int{playback.AAC: 10, playback.Ogg: 20}[r.Format]
			if len(table) < atLeast || len(table) > atMost {
				t.Errorf("%d points of %d ms", len(table), sweepMs)
			}
			content, all := read(t, file), packets(t, file)
			at := 0
			for ms := range int64(sweepMs) {
				for at+1 < len(all) && all[at+1].samples*1000 <= ms*ffmpeg.SampleRate {
					at++
				}
				i := table.Find(uint32(ms))
				begin, end := int64(table[i].Offset), int64(len(content))
				if i+1 < len(table) {
					end = int64(table[i+1].Offset)
				}
				if all[at].pos < begin || all[at].pos >= end {
					t.Fatalf("%d ms is at byte %d, the table says %d to %d", ms, all[at].pos, begin, end)
				}
			}
			for _, p := range table {
				if begin := string(content[p.Offset:][:8]); begin[:4] != "OggS" && begin[4:] != "moof" {
					t.Errorf("at byte %d begins %q", p.Offset, begin)
				}
			}
			hear(t, content, table)
		})
	}
}

// hear begins at some moments as a player does, one point earlier, and compares
// what it hears from the moment on with the whole.
func hear(t *testing.T, content []byte, table playback.SeekTable) {
	t.Helper()
	whole := decode(t, content)
	r := rand.New(rand.NewPCG(1, 2))
	moments := []uint32{0, 1, table[1].Ms - 1, table[1].Ms, table[len(table)-1].Ms, sweepMs - 120}
	for range 4 {
		moments = append(moments, r.Uint32N(sweepMs-120))
	}
	for _, ms := range moments {
		from := table[max(table.Find(ms)-1, 0)]
		part := decode(t, slices.Concat(content[:table[0].Offset], content[from.Offset:]))
		// Both end at the same sample.
		rest := len(whole)/frame - int(ms)*ffmpeg.SampleRate/1000
		if got := len(part) / frame; got < rest || ms > 0 && from.Ms > 0 && got > rest+5*ffmpeg.SampleRate {
			t.Errorf("%d ms: %d samples are heard from the point before, want %d and little more", ms, got, rest)
			continue
		}
		if from.Ms == 0 {
			rest = min(rest, len(whole)/frame-4096) // the delay's silence says nothing
		}
		n := min(rest, ffmpeg.SampleRate/10) * frame
		if c := correlation(whole[len(whole)-rest*frame:][:n], part[len(part)-rest*frame:][:n]); c < 0.99 {
			t.Errorf("%d ms: what is heard correlates with %.3f", ms, c)
		}
	}
}

func decode(t *testing.T, content []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return ingesttest.Decode(t, file)
}

func correlation(a, b []byte) float64 {
	var ab, aa, bb float64
	for i := 0; i+1 < len(a); i += 2 {
		x, y := float64(int16(binary.LittleEndian.Uint16(a[i:]))), float64(int16(binary.LittleEndian.Uint16(b[i:])))
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// A file that is not one that Encode made has no table.
func TestSeekTableRefuses(t *testing.T) {
	t.Parallel()
	ogg, _ := encode(t, ingesttest.Audio(t, "sine=d=3", "a.wav"), playback.Rendition{Format: playback.Ogg, Bitrate: playback.Low})
	whole := read(t, ogg)
	plain := read(t, ingesttest.Audio(t, "sine=d=3", "-c:a", "aac", "a.m4a"))
	for _, tt := range []struct {
		name    string
		content []byte
		format  playback.Format
	}{
		{"empty", nil, playback.AAC},
		{"empty", nil, playback.Ogg},
		{"text", bytes.Repeat([]byte("text"), 100), playback.Ogg},
		{"cut in a page", whole[:len(whole)-7], playback.Ogg},
		{"cut in a header", whole[:10], playback.Ogg},
		{"no index", plain, playback.AAC},
		{"the other format", whole, playback.AAC},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if table, err := ffmpeg.SeekTable(file, tt.format); err == nil {
			t.Errorf("%s as %s: %v", tt.name, tt.format, table)
		}
	}
}
