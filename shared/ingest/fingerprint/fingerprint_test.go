package fingerprint

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func random(seed uint64, n int) Fingerprint {
	r := rand.New(rand.NewPCG(seed, 2))
	f := make(Fingerprint, n)
	for i := range f {
		f[i] = r.Uint32()
	}
	return f
}

func TestRate(t *testing.T) {
	t.Parallel()
	f := random(1, 200)
	flipped := slices.Clone(f)
	for i := range flipped {
		flipped[i] ^= 1 << (i % 32)
	}
	near := func(want float64) func(float64) bool {
		return func(got float64) bool { return math.Abs(got-want) < 0.02 }
	}
	for name, tt := range map[string]struct {
		a, b Fingerprint
		want func(float64) bool
	}{
		"the same":                  {f, f, func(r float64) bool { return r == 0 }},
		"a bit an item":             {f, flipped, func(r float64) bool { return r == 1./32 }},
		"later":                     {f, append(random(3, 25), f...), func(r float64) bool { return r == 0 }},
		"earlier":                   {f, f[25:], func(r float64) bool { return r == 0 }},
		"later than within reach":   {f, append(random(3, 26), f...), near(0.48)},
		"other":                     {f, random(2, 200), near(0.48)},
		"nothing in common":         {Fingerprint{0, 0}, Fingerprint{math.MaxUint32, math.MaxUint32}, func(r float64) bool { return r == 1 }},
		"the end is another's":      {f, append(slices.Clone(f[:150]), random(4, 50)...), near(0.12)},
		"too little over the other": {f[:60], append(random(5, 24), f[:36]...), near(0.47)},
		"nothing":                   {nil, nil, func(r float64) bool { return r == 1 }},
		"nothing of one":            {f, nil, func(r float64) bool { return r == 1 }},
	} {
		if r, back := Rate(tt.a, tt.b), Rate(tt.b, tt.a); !tt.want(r) || r != back {
			t.Errorf("%s: %.4f, backwards %.4f", name, r, back)
		}
	}
}

// What says too little of a recording recognises none, not even itself.
func TestTells(t *testing.T) {
	t.Parallel()
	for lavfi, want := range map[string]bool{
		"anullsrc=d=30":        false,
		"sine=440:d=30":        false,
		"sine=440:b=4:d=30":    false, // beeps of a metronome
		"anoisesrc=d=7":        false,
		"anoisesrc=d=8.1":      true,
		"anoisesrc=c=pink:d=9": true,
	} {
		f := of(t, ingesttest.Audio(t, lavfi, "a.flac"))
		if f.Tells() != want || Same(f, f) != want || (f.Insert("label", "track") != nil) != want {
			t.Errorf("%s: %d items, %d of them distinct, tell %v", lavfi, len(f), len(f.distinct()), f.Tells())
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	f := random(1, 200)
	if !Same(f, f) || Same(f, random(2, 200)) || Same(f, nil) || Same(f[:minItems-1], f[:minItems-1]) {
		t.Error("not as said")
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b time.Duration
		want bool
	}{
		{180 * time.Second, 183 * time.Second, true},
		{180 * time.Second, 183*time.Second + 1, false},
		{10 * time.Second, 9 * time.Second, true},
		{10 * time.Second, 9*time.Second - 1, false},
		{0, 0, true},
	} {
		if Near(tt.a, tt.b) != tt.want || Near(tt.b, tt.a) != tt.want {
			t.Errorf("%s and %s", tt.a, tt.b)
		}
	}
}

// The terms are chosen by what the items are, not by where they stand.
func TestTerms(t *testing.T) {
	t.Parallel()
	f := random(1, 948)
	moved := append(random(2, 10), f...)
	slices.Reverse(moved)
	if n := common(f, moved); n < 58 || len(f.Terms()) != terms || common(f, random(3, 948)) != 0 {
		t.Errorf("%d of %d terms are the same", n, terms)
	}
	few := Fingerprint{7, 7, 8, math.MaxUint32, 7}
	got := slices.Sorted(slices.Values(few.Terms()))
	if !slices.Equal(got, []int64{7, 8, math.MaxUint32}) {
		t.Errorf("terms %v", got)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte{1, 2, 3, 4, 255, 255, 255, 255})
	if err != nil || !slices.Equal(f, Fingerprint{0x04030201, math.MaxUint32}) || string(f.Bytes()) != "\x01\x02\x03\x04\xff\xff\xff\xff" {
		t.Errorf("%x, %v", f, err)
	}
	if _, err := Parse(make([]byte, 5)); err == nil {
		t.Error("five bytes are read")
	}
}
