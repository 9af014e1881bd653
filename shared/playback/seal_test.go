package playback

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// tester is what testing and rapid share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// seal checks what every sealing must hold: the size, the hash of the whole, and
// a hash for each block.
func seal(t tester, key []byte, feed func(*Sealer) error) (cipher []byte, s *Sealer) {
	t.Helper()
	var out bytes.Buffer
	s, err := NewSealer(&out, key)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := feed(s); err != nil {
		t.Fatalf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	cipher = out.Bytes()
	if s.Size() != int64(len(cipher)) || s.Sum() != sha256.Sum256(cipher) {
		t.Fatalf("size %d and sum do not fit %d bytes of ciphertext", s.Size(), len(cipher))
	}
	blocks := (len(cipher) + BlockSize - 1) / BlockSize
	if len(s.Hashes()) != blocks*HashSize {
		t.Fatalf("%d bytes of hashes for %d blocks", len(s.Hashes()), blocks)
	}
	for i := range blocks {
		if err := VerifyBlock(s.Hashes(), i, cipher[i*BlockSize:min((i+1)*BlockSize, len(cipher))]); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return cipher, s
}

func write(p []byte) func(*Sealer) error {
	return func(s *Sealer) error { _, err := s.Write(p); return err }
}

func noise(seed uint64, n int) []byte {
	p := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, _ = src.Read(p)
	return p
}

// drawSize favours the edges of AES's and the hashes' blocks.
func drawSize(t *rapid.T) int {
	edge := rapid.SampledFrom([]int{0, 16, BlockSize, 2 * BlockSize}).Draw(t, "edge")
	return max(0, edge+rapid.IntRange(-17, 40).Draw(t, "past the edge"))
}

func drawKey(t *rapid.T) []byte {
	n := rapid.SampledFrom([]int{16, 32}).Draw(t, "key size")
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "key")
}

func TestAnyRangeOpensAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key, plain := drawKey(t), noise(rapid.Uint64().Draw(t, "seed"), drawSize(t))
		cipher, _ := seal(t, key, write(plain))
		from := rapid.IntRange(0, len(plain)).Draw(t, "from")
		to := rapid.IntRange(from, len(plain)).Draw(t, "to")

		got := make([]byte, to-from)
		if err := Decrypt(key, int64(from), got, cipher[from:to]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, plain[from:to]) {
			t.Fatalf("range %d-%d opens to other bytes", from, to)
		}
		r, err := NewReader(iotest.OneByteReader(bytes.NewReader(cipher[from:to])), key, int64(from))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain[from:to]) {
			t.Fatalf("reading range %d-%d gives other bytes (%v)", from, to, err)
		}
	})
}

func TestAnyChunkingSealsAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key, plain := drawKey(t), noise(rapid.Uint64().Draw(t, "seed"), drawSize(t))
		chunks := rapid.SliceOfN(rapid.IntRange(0, 70_000), 1, 8).Draw(t, "chunks")
		kept := bytes.Clone(plain)
		want, ws := seal(t, key, write(plain))
		if !bytes.Equal(plain, kept) {
			t.Fatal("sealing changed its input")
		}
		written, s1 := seal(t, key, func(s *Sealer) error {
			rest := plain
			for _, n := range chunks {
				n = min(n, len(rest))
				if got, err := s.Write(rest[:n]); err != nil || got != n {
					t.Fatalf("wrote %d of %d: %v", got, n, err)
				}
				rest = rest[n:]
			}
			return write(rest)(s)
		})
		read, s2 := seal(t, key, func(s *Sealer) error {
			n, err := io.Copy(s, &chunkReader{p: plain, chunks: chunks})
			if n != int64(len(plain)) {
				t.Fatalf("read %d of %d bytes", n, len(plain))
			}
			return err
		})
		if !bytes.Equal(written, want) || !bytes.Equal(s1.Hashes(), ws.Hashes()) {
			t.Fatal("chunked writes seal otherwise")
		}
		if !bytes.Equal(read, want) || !bytes.Equal(s2.Hashes(), ws.Hashes()) {
			t.Fatal("reading seals otherwise")
		}
	})
}

// chunkReader gives at most the next chunk at once, and nothing for a chunk of 0.
type chunkReader struct {
	p      []byte
	chunks []int
}

func (c *chunkReader) Read(p []byte) (int, error) {
	n := len(p)
	if len(c.chunks) > 0 {
		n, c.chunks = min(n, c.chunks[0]), c.chunks[1:]
	}
	n = copy(p[:n], c.p)
	c.p = c.p[n:]
	if len(c.p) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestVerifyBlock(t *testing.T) {
	t.Parallel()
	cipher, s := seal(t, noise(1, 16), write(noise(2, 2*BlockSize+100)))
	hashes := s.Hashes()
	changed := bytes.Clone(cipher[:BlockSize])
	changed[BlockSize-1] ^= 1
	for name, c := range map[string]struct {
		hashes  []byte
		index   int
		block   []byte
		corrupt bool
	}{
		"a changed bit":           {hashes, 0, changed, true},
		"another block":           {hashes, 1, cipher[:BlockSize], true},
		"a cut block":             {hashes, 1, cipher[BlockSize : 2*BlockSize-1], true},
		"a cut last block":        {hashes, 2, cipher[2*BlockSize : 2*BlockSize+99], true},
		"more than a block":       {hashes, 0, cipher[:BlockSize+1], true},
		"an index past the end":   {hashes, 3, nil, false},
		"an index before the end": {hashes, -1, nil, false},
		"torn hashes":             {hashes[:40], 0, cipher[:BlockSize], false},
		"no hashes":               {nil, 0, nil, false},
	} {
		err := VerifyBlock(c.hashes, c.index, c.block)
		if err == nil || errors.Is(err, ErrCorrupt) != c.corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSealerStopsAtAFailedWrite(t *testing.T) {
	t.Parallel()
	for name, feed := range map[string]func(*Sealer) error{
		"write": write(make([]byte, 3*BlockSize)),
		"read": func(s *Sealer) error {
			_, err := io.Copy(s, bytes.NewReader(make([]byte, 3*BlockSize)))
			return err
		},
	} {
		broken := errors.New("disk full")
		s, err := NewSealer(&limited{left: BlockSize, err: broken}, noise(1, 16))
		if err != nil {
			t.Fatal(err)
		}
		if err := feed(s); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Write([]byte{1}); !errors.Is(err, broken) {
			t.Errorf("%s, then write: %v", name, err)
		}
		if err := s.Close(); !errors.Is(err, broken) {
			t.Errorf("%s, then close: %v", name, err)
		}
	}
}

// limited fails once, after so many bytes: what it takes later would follow a
// hole.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	l.left -= len(p)
	if err := l.err; l.left < 0 && err != nil {
		l.err = nil
		return 0, err
	}
	return len(p), nil
}

func TestSealerRefusesMore(t *testing.T) {
	t.Parallel()
	_, s := seal(t, noise(1, 16), write([]byte("end")))
	if _, err := s.Write([]byte{1}); err == nil {
		t.Error("written after close")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if s.Size() != 3 {
		t.Errorf("size is %d after close", s.Size())
	}
	s, err := NewSealer(io.Discard, noise(1, 16))
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("connection lost")
	if _, err := io.Copy(s, io.MultiReader(strings.NewReader("some"), iotest.ErrReader(lost))); !errors.Is(err, lost) {
		t.Errorf("a broken source: %v", err)
	}
	if _, err := io.Copy(s, stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a stuck source: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func BenchmarkSeal(b *testing.B) {
	plain := noise(1, 4<<20)
	for _, scheme := range []Scheme{AES128CTR, AES256CTR} {
		size, err := scheme.KeySize()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(scheme), func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				s, err := NewSealer(io.Discard, noise(2, size))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(s, onlyReader{bytes.NewReader(plain)}); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// onlyReader hides WriteTo, which files in a pipeline do not have either.
type onlyReader struct{ io.Reader }

func BenchmarkDecryptBlock(b *testing.B) {
	key, block := noise(1, 16), noise(2, BlockSize)
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := Decrypt(key, 7*BlockSize, block, block); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecryptRange opens a range from the middle of a file, as a player does
// after a seek: at no boundary of anything.
func BenchmarkDecryptRange(b *testing.B) {
	key, sealed := noise(1, 16), noise(2, 256<<10)
	plain := make([]byte, len(sealed))
	b.SetBytes(int64(len(sealed)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Decrypt(key, 7*BlockSize+12_345, plain, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
