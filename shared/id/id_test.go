package id

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeKnownAnswers(t *testing.T) {
	for _, test := range []struct {
		b    [16]byte
		want string
	}{
		{[16]byte{}, strings.Repeat("0", 22)},
		{[16]byte{15: 61}, strings.Repeat("0", 21) + "Z"},
		{[16]byte{15: 62}, strings.Repeat("0", 20) + "10"},
		{[16]byte(bytes.Repeat([]byte{0xff}, 16)), "7N42dgm5tFLK9N8MT7fHC7"},
	} {
		if got := encode(test.b); got != test.want {
			t.Errorf("encode(%x) = %s, want %s", test.b, got, test.want)
		}
	}
}

func TestIdsOfDifferentBitsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "b")
		x, y := encode([16]byte(a)), encode([16]byte(b))
		if (x == y) != bytes.Equal(a, b) {
			t.Fatalf("%x → %s, %x → %s", a, x, b, y)
		}
		if !Valid(x) {
			t.Fatalf("%s is not valid", x)
		}
	})
}

func TestParseURI(t *testing.T) {
	v := strings.Repeat("a", 22)
	kind, got, err := ParseURI(URI("album", v))
	if kind != "album" || got != v || err != nil {
		t.Errorf("ParseURI = %s, %s, %v", kind, got, err)
	}
	for _, bad := range []string{"", "spotify:album", "spotify::" + v, "spotify:album:short", "deezer:album:" + v, "spotify:album:" + v + ":x", "spotify:album:" + v[:21] + "-"} {
		if _, _, err := ParseURI(bad); err == nil {
			t.Errorf("ParseURI(%q) was accepted", bad)
		}
	}
}

func TestRandomDoesNotRepeat(t *testing.T) {
	if a, b := Random(), Random(); a == b || !Valid(a) {
		t.Errorf("ids %s, %s", a, b)
	}
}
