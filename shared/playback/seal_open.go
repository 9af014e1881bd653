package playback

import (
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"io"
)

// Decrypt opens a range of a sealed file: src is the ciphertext that starts at
// offset, dst takes as many bytes. They may be the same slice, and otherwise
// must not overlap. CTR hides changes to the ciphertext: check blocks with
// VerifyBlock first.
func Decrypt(key []byte, offset int64, dst, src []byte) error {
	if len(dst) < len(src) {
		return fmt.Errorf("decrypt %d bytes into %d: too short", len(src), len(dst))
	}
	s, err := newStream(key, counter{}, offset)
	if err != nil {
		return err
	}
	s.xor(dst, src)
	return nil
}

// NewReader opens a sealed file as it is read; r starts at offset.
func NewReader(r io.Reader, key []byte, offset int64) (io.Reader, error) {
	s, err := newStream(key, counter{}, offset)
	if err != nil {
		return nil, err
	}
	return cipher.StreamReader{S: s.ctr, R: r}, nil
}

// VerifyBlock says whether block is the index-th block of the ciphertext that
// the hashes were made of; an error wraps ErrCorrupt when it is another.
func VerifyBlock(hashes []byte, index int, block []byte) error {
	if len(hashes)%HashSize != 0 {
		return fmt.Errorf("hashes are %d bytes long, not a multiple of %d", len(hashes), HashSize)
	}
	count := len(hashes) / HashSize
	if index < 0 || index >= count {
		return fmt.Errorf("block %d is not one of the file's %d", index, count)
	}
	if len(block) > BlockSize || (len(block) < BlockSize && index < count-1) {
		return fmt.Errorf("block %d has %d bytes: %w", index, len(block), ErrCorrupt)
	}
	if sha256.Sum256(block) != [HashSize]byte(hashes[index*HashSize:]) {
		return fmt.Errorf("block %d: %w", index, ErrCorrupt)
	}
	return nil
}
