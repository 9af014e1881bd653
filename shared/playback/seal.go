package playback

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// BlockSize is the unit of integrity: a SHA-256 is kept for each block of this
// many bytes of ciphertext, so that a client can check any range it fetched.
const BlockSize = 64 << 10

// HashSize is the length of one entry of a hashes object, in bytes.
const HashSize = sha256.Size

// ErrCorrupt is what a block is whose bytes are not those that were sealed.
var ErrCorrupt = errors.New("block does not match its hash")

// Sealer encrypts one file as it streams through, and accounts for the
// ciphertext. It holds one block in memory, and 32 bytes for each block passed.
type Sealer struct {
	w      io.Writer
	stream *stream
	block  []byte // ciphertext that waits for its block to be full
	whole  hash.Hash
	hashes []byte
	size   int64
	err    error
}

// NewSealer seals what is written to it into w. The key must be used for this
// one file and never again: the counter of every file starts at 0, so two files
// under one key would share their key stream, and either would betray the other.
func NewSealer(w io.Writer, key []byte) (*Sealer, error) {
	s, err := newStream(key, counter{}, 0)
	if err != nil {
		return nil, err
	}
	return &Sealer{w: w, stream: s, block: make([]byte, 0, BlockSize), whole: sha256.New()}, nil
}

// Write encrypts p, which it leaves as it is, and passes full blocks on.
func (s *Sealer) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	written := 0
	for len(p) > 0 {
		n := min(len(p), BlockSize-len(s.block))
		s.stream.xor(s.room()[:n], p[:n])
		s.grow(n)
		p, written = p[n:], written+n
		if err := s.flushFull(); err != nil {
			return written, err
		}
	}
	return written, nil
}

// ReadFrom lets io.Copy read straight into the block, which is then encrypted
// in place: no byte is copied on its way.
func (s *Sealer) ReadFrom(r io.Reader) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	var read int64
	for idle := 0; ; idle++ {
		n, err := r.Read(s.room())
		if n > 0 {
			fresh := s.room()[:n]
			s.stream.xor(fresh, fresh)
			s.grow(n)
			read, idle = read+int64(n), 0
			if ferr := s.flushFull(); ferr != nil {
				return read, ferr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, fmt.Errorf("read what is to be sealed: %w", err)
		case idle > 100:
			return read, io.ErrNoProgress
		}
	}
}

// Close passes the last, short block on. It does not close the writer below.
// Until it returns nil the file is not complete, and neither are its hashes.
func (s *Sealer) Close() error {
	if errors.Is(s.err, io.ErrClosedPipe) {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.err = io.ErrClosedPipe
	return nil
}

// Hashes is the content of the hashes object: a raw SHA-256 for each block of
// ciphertext, one after the other.
func (s *Sealer) Hashes() []byte { return s.hashes }

// Sum is the SHA-256 of the whole ciphertext.
func (s *Sealer) Sum() [HashSize]byte { return [HashSize]byte(s.whole.Sum(nil)) }

// Size is the length of the ciphertext, which is that of the plaintext.
func (s *Sealer) Size() int64 { return s.size }

// room is the free end of the block.
func (s *Sealer) room() []byte { return s.block[len(s.block):BlockSize] }

func (s *Sealer) grow(n int) { s.block = s.block[:len(s.block)+n] }

func (s *Sealer) flushFull() error {
	if len(s.block) < BlockSize {
		return nil
	}
	return s.flush()
}

func (s *Sealer) flush() error {
	if len(s.block) == 0 {
		return nil
	}
	sum := sha256.Sum256(s.block)
	s.hashes = append(s.hashes, sum[:]...)
	s.whole.Write(s.block)
	s.size += int64(len(s.block))
	n, err := s.w.Write(s.block)
	if err == nil && n != len(s.block) {
		err = io.ErrShortWrite
	}
	if err != nil {
		// What is written is unknown now, so nothing may follow it.
		s.err = fmt.Errorf("write sealed block %d: %w", len(s.hashes)/HashSize-1, err)
		return s.err
	}
	s.block = s.block[:0]
	return nil
}
