package playback_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/segue-audio/segue/shared/playback"
)

// Whatever the points, no moment finds one that begins after it, nor one whose
// successor begins before it.
func TestSeekTableFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]int64{8000, 44_100, 48_000}).Draw(t, "rate")
		steps := rapid.SliceOfN(rapid.Int64Range(1, 200_000), 0, 50).Draw(t, "steps")
		samples, offsets := []int64{-1024}, []int64{700}
		for _, s := range steps {
			samples, offsets = append(samples, samples[len(samples)-1]+s), append(offsets, offsets[len(offsets)-1]+s)
		}
		table, err := playback.NewSeekTable(samples, offsets, rate)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range table {
			begin := max(samples[slices.Index(offsets, int64(p.Offset))], 0) * 1000
			if ms := int64(p.Ms); begin > ms*rate || begin <= (ms-1)*rate {
				t.Fatalf("the point at %d ms begins at sample %d", ms, begin/1000)
			}
		}
		ms := rapid.Uint32Range(0, 2_000_000).Draw(t, "ms")
		i := table.Find(ms)
		at := slices.Index(offsets, int64(table[i].Offset))
		if samples[at]*1000 > int64(ms)*rate {
			t.Fatalf("%d ms finds a point that begins at sample %d", ms, samples[at])
		}
		if i+1 < len(table) && table[i+1].Ms <= ms {
			t.Fatalf("%d ms finds %v, but the next is %v", ms, table[i], table[i+1])
		}
		again, err := playback.ParseSeekTable(table.Bytes())
		if err != nil || !slices.Equal(again, table) {
			t.Fatalf("%v is read as %v, %v", table, again, err)
		}
	})
}

func TestSeekTableIsRefused(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"empty":             {},
		"half a pair":       {0, 0, 0, 0},
		"no begin":          {1, 0, 0, 0, 0, 0, 0, 0},
		"time stands":       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0},
		"offset steps back": {0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0},
	} {
		if table, err := playback.ParseSeekTable(b); err == nil {
			t.Errorf("%s: %v", name, table)
		}
	}
	if _, err := playback.NewSeekTable([]int64{0, 1 << 40}, []int64{0, 1}, 8000); err == nil {
		t.Error("a time beyond 32 bits is accepted")
	}
	if _, err := playback.NewSeekTable([]int64{0, 8000}, []int64{0, math.MaxUint32 + 1}, 8000); err == nil {
		t.Error("an offset beyond 32 bits is accepted")
	}
}

func FuzzParseSeekTable(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := playback.ParseSeekTable(b)
		if err == nil && (!slices.Equal(table.Bytes(), b) || table.Find(math.MaxUint32) != len(table)-1 || table.Find(0) != 0) {
			t.Errorf("%v of % x", table, b)
		}
	})
}
