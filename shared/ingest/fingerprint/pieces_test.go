package fingerprint

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

const pieceRate = 44100

// pieces compose music: three voices of notes that decay, with overtones.
func pieces(tb testing.TB, n, seconds int) []string {
	tb.Helper()
	files := make([]string, n)
	for i := range files {
		files[i] = compose(tb, uint64(i), seconds)
	}
	return files
}

func compose(tb testing.TB, seed uint64, seconds int) string {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	sound := make([]float64, seconds*pieceRate)
	for voice := range 3 {
		octave := 110 * math.Pow(2, float64(voice))
		for at := 0; at < len(sound); {
			length := (1 + r.IntN(4)) * pieceRate / 5
			pitch := octave * math.Pow(2, float64(r.IntN(12))/12)
			for i := at; i < min(at+length, len(sound)); i++ {
				t := float64(i-at) / pieceRate
				for overtone := 1.; overtone <= 4; overtone++ {
					sound[i] += math.Exp(-3*t) / overtone * math.Sin(2*math.Pi*pitch*overtone*t)
				}
			}
			at += length
		}
	}
	raw := make([]byte, 0, 2*len(sound))
	for _, s := range sound {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(5000*s+100*r.Float64())))
	}
	file := filepath.Join(tb.TempDir(), fmt.Sprintf("piece-%d.s16", seed))
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		tb.Fatal(err)
	}
	return ingesttest.FFmpeg(tb, "-f", "s16le", "-ar", strconv.Itoa(pieceRate), "-ac", "1", "-i", file, "-ac", "2", "piece.flac")
}
