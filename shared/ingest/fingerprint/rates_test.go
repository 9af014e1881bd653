package fingerprint

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// variants are files of one recording: arguments of ffmpeg, the output last.
var variants = map[string][]string{
	"MP3 64":                      {"-b:a", "64k", "a.mp3"},
	"MP3 128":                     {"-b:a", "128k", "a.mp3"},
	"MP3 320":                     {"-b:a", "320k", "a.mp3"},
	"AAC 96":                      {"-c:a", "aac", "-b:a", "96k", "a.m4a"},
	"Opus 48":                     {"-c:a", "libopus", "-b:a", "48k", "-ar", "48000", "a.opus"},
	"Opus 96":                     {"-c:a", "libopus", "-b:a", "96k", "-ar", "48000", "a.opus"},
	"Vorbis q2":                   {"-c:a", "libvorbis", "-q:a", "2", "a.ogg"},
	"22.05 kHz":                   {"-ar", "22050", "a.wav"},
	"mono":                        {"-ac", "1", "a.wav"},
	"-12 dB":                      {"-af", "volume=-12dB", "a.wav"},
	"0.5 s silence in front":      {"-af", "adelay=500:all=1", "a.wav"},
	"2 s silence in front":        {"-af", "adelay=2000:all=1", "a.wav"},
	"1 s cut off":                 {"-ss", "1", "a.wav"},
	"62 ms cut off (half a step)": {"-ss", "0.062", "a.wav"},
	"0.31 s cut off, MP3 64":      {"-ss", "0.31", "-b:a", "64k", "a.mp3"},
}

// measured is what comes of some music.
type measured struct {
	same     map[string][]float64 // by variant: rates to the original
	pair     []float64            // of any two variants of a recording
	other    []float64            // of two recordings, any variant of each, at lengths that are near
	unlike   []float64            // at any lengths, originals
	found    int                  // of variants: share terms enough with the original
	variants int
	rows     int // that are read to look all variants up among the originals
}

func measure(tb testing.TB, files []string, variants map[string][]string) measured {
	tb.Helper()
	m := measured{same: map[string][]float64{}}
	all := make([]map[string]Fingerprint, len(files))
	for i, file := range files {
		original := ingesttest.FFmpeg(tb, "-t", "125", "-i", file, "-map", "0:a:0", "-map_metadata", "-1", "original.wav")
		all[i] = map[string]Fingerprint{"": of(tb, original)}
		for name, args := range variants {
			f := of(tb, ingesttest.FFmpeg(tb, append([]string{"-i", original}, args...)...))
			all[i][name] = f
			m.same[name] = append(m.same[name], Rate(all[i][""], f))
		}
	}
	for i := range all {
		for name, f := range all[i] {
			for _, g := range all[i] {
				m.pair = append(m.pair, Rate(f, g))
			}
			for j := range i {
				for _, g := range all[j] {
					if n := len(f) - len(g); max(n, -n) <= reach {
						m.other = append(m.other, Rate(f, g))
					}
				}
			}
			if name == "" {
				for j := range i {
					m.unlike = append(m.unlike, Rate(f, all[j][""]))
				}
				continue
			}
			m.variants++
			for j := range all {
				n := common(f, all[j][""])
				m.rows += n
				if j == i && n >= shared {
					m.found++
				}
			}
		}
	}
	return m
}

func of(tb testing.TB, file string) Fingerprint {
	tb.Helper()
	_, raw, err := ffmpeg.Count(tb.Context(), file)
	if err != nil {
		tb.Fatal(err)
	}
	f, err := Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func common(a, b Fingerprint) int {
	of, n := a.Terms(), 0
	for _, t := range b.Terms() {
		if slices.Contains(of, t) {
			n++
		}
	}
	return n
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}

func (m measured) String() string {
	var b strings.Builder
	line := func(name string, rates []float64) {
		fmt.Fprintf(&b, "%-32s %5d   %.3f  %.3f  %.3f\n", name, len(rates), slices.Min(rates), median(rates), slices.Max(rates))
	}
	names := make([]string, 0, len(m.same))
	for name := range m.same {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(median(m.same[a]), median(m.same[b])), cmp.Compare(a, b))
	})
	fmt.Fprintf(&b, "%-32s pairs   min    median max\n", "")
	for _, name := range names {
		line(name, m.same[name])
	}
	line("any two files of one recording", m.pair)
	line("different, of near lengths", m.other)
	line("different, any lengths", m.unlike)
	fmt.Fprintf(&b, "found by terms: %d of %d, reading %.1f rows each\n", m.found, m.variants, float64(m.rows)/float64(m.variants))
	return b.String()
}

// The rates of generated music: what is the same lies below the threshold, what
// is not above it, with as much room again; and the terms find what is the same.
func TestRates(t *testing.T) {
	t.Parallel()
	some := map[string][]string{}
	for _, name := range []string{"MP3 64", "AAC 96", "Opus 48", "Vorbis q2", "-12 dB", "0.31 s cut off, MP3 64"} {
		some[name] = variants[name]
	}
	m := measure(t, pieces(t, 3, 12), some)
	t.Log("\n" + m.String())
	if worst := slices.Max(m.pair); worst >= threshold {
		t.Errorf("two files of one recording differ by %.3f", worst)
	}
	if least := slices.Min(m.other); least <= 1.3*threshold {
		t.Errorf("two recordings differ by %.3f only", least)
	}
	if m.found != m.variants {
		t.Errorf("%d of %d are found", m.found, m.variants)
	}
}

// BenchmarkRates measures the music in the folder that SEGUE_MUSIC names, or
// generated pieces, and prints the table of the package's doc:
//
//	SEGUE_MUSIC=~/Music go test -run - -bench Rates -benchtime 1x ./shared/ingest/fingerprint
func BenchmarkRates(b *testing.B) {
	files := music(b)
	for b.Loop() {
		m := measure(b, files, variants)
		b.Log("\n" + m.String())
		b.ReportMetric(slices.Max(m.pair), "max-same")
		b.ReportMetric(slices.Min(m.other), "min-different")
		b.ReportMetric(float64(m.found)/float64(m.variants), "recall")
		b.ReportMetric(math.Round(float64(m.rows)/float64(m.variants)), "rows")
	}
}

func music(tb testing.TB) []string {
	tb.Helper()
	dir := os.Getenv("SEGUE_MUSIC")
	if dir == "" {
		return pieces(tb, 8, 60)
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if slices.Contains([]string{".flac", ".ogg", ".mp3", ".m4a", ".opus", ".wav"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 2 {
		tb.Fatalf("%d files of music in %s, %v", len(files), dir, err)
	}
	return files
}

func BenchmarkRate(b *testing.B) {
	f, g := random(1, 948), random(2, 948)
	for b.Loop() {
		Rate(f, g)
	}
}

func BenchmarkTerms(b *testing.B) {
	f := random(1, 948)
	for b.Loop() {
		f.Terms()
	}
}
