package playback

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// NIST SP 800-38A, F.5.1 (CTR-AES128) and F.5.5 (CTR-AES256): one plaintext and
// one initial counter for both.
func TestCTRMatchesNIST(t *testing.T) {
	t.Parallel()
	const (
		initial = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
		plain   = "6bc1bee22e409f96e93d7e117393172a" + "ae2d8a571e03ac9c9eb76fac45af8e51" +
			"30c81c46a35ce411e5fbc1191a0a52ef" + "f69f2445df4f9b17ad2b417be66c3710"
	)
	for scheme, v := range map[Scheme]struct{ key, cipher string }{
		AES128CTR: {
			"2b7e151628aed2a6abf7158809cf4f3c",
			"874d6191b620e3261bef6864990db6ce" + "9806f66b7970fdff8617187bb9fffdff" +
				"5ae4df3edbd5d35e5b4f09020db03eab" + "1e031dda2fbe03d1792170a0f3009cee",
		},
		AES256CTR: {
			"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
			"601ec313775789a5b7a7f504bbf3d228" + "f443e3ca4d62b59aca84e990cacaf5c5" +
				"2b0930daa23de94ce87017ba2d84988d" + "dfc9c58db67aada613c2dd08457941a6",
		},
	} {
		key, want := unhex(t, v.key), unhex(t, v.cipher)
		if n, err := scheme.KeySize(); err != nil || n != len(key) {
			t.Errorf("%s has keys of %d bytes (%v)", scheme, n, err)
		}
		for offset := range want {
			s, err := newStream(key, counter(unhex(t, initial)), int64(offset))
			if err != nil {
				t.Fatal(err)
			}
			got := unhex(t, plain)[offset:]
			s.xor(got, got)
			if !bytes.Equal(got, want[offset:]) {
				t.Fatalf("%s from byte %d: %x, want %x", scheme, offset, got, want[offset:])
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCounterCarriesThrough128Bits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := counter(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}), 16, 16).Draw(t, "start"))
		n := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{1, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64})).Draw(t, "n")
		sum := new(big.Int).Add(new(big.Int).SetBytes(start[:]), new(big.Int).SetUint64(n))
		sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 128))
		var want counter
		sum.FillBytes(want[:])
		if got := start.plus(n); got != want {
			t.Fatalf("%x + %d = %x, want %x", start, n, got, want)
		}
	})
}

// A stream that starts far on must be the one that got there: the bytes on both
// sides of 2^32 and, counted from elsewhere, 2^64 blocks join.
func TestFarOffsetsContinueTheStream(t *testing.T) {
	t.Parallel()
	key := noise(1, 32)
	var nearCarry counter
	for i := 8; i < 16; i++ {
		nearCarry[i] = 0xff // the next block carries into the upper half
	}
	for name, c := range map[string]struct {
		initial counter
		border  int64
	}{
		"2^32 blocks":       {counter{}, 1 << 36},
		"2^64 blocks":       {nearCarry, 16},
		"the largest range": {counter{}, math.MaxInt64 - 63},
	} {
		through := make([]byte, 64)
		s, err := newStream(key, c.initial, c.border-16)
		if err != nil {
			t.Fatal(err)
		}
		s.xor(through, through)
		for skip := range int64(40) {
			from, err := newStream(key, c.initial, c.border-16+skip)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 64-skip)
			from.xor(got, got)
			if !bytes.Equal(got, through[skip:]) {
				t.Errorf("%s: from %d on, the stream is another", name, skip-16)
			}
		}
	}
}

func TestSealRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 15, 17, 24, 33} {
		if _, err := NewSealer(nil, make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes seals", n)
		}
		if _, err := NewReader(nil, make([]byte, n), 0); err == nil {
			t.Errorf("a key of %d bytes reads", n)
		}
	}
	if err := Decrypt(make([]byte, 16), -1, nil, nil); err == nil {
		t.Error("a negative offset opens")
	}
	if err := Decrypt(make([]byte, 16), 0, make([]byte, 1), make([]byte, 2)); err == nil {
		t.Error("two bytes open into one")
	}
	if _, err := Scheme("aes-128-cbc").KeySize(); err == nil {
		t.Error("aes-128-cbc is a scheme")
	}
}
