package playback

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Scheme names how a rendition is encrypted, as clients are told.
type Scheme string

// The schemes: AES in counter mode over the whole file, from counter 0.
const (
	AES128CTR Scheme = "aes-128-ctr"
	AES256CTR Scheme = "aes-256-ctr"
)

// KeySize is the length of the scheme's keys, in bytes.
func (s Scheme) KeySize() (int, error) {
	switch s {
	case AES128CTR:
		return 16, nil
	case AES256CTR:
		return 32, nil
	default:
		return 0, fmt.Errorf("scheme %q is not known: use %s", string(s), oneOf([]Scheme{AES128CTR, AES256CTR}))
	}
}

// counter is the 128-bit, big-endian block number that AES encrypts.
type counter [aes.BlockSize]byte

// plus adds n blocks, carrying through all 128 bits, and wraps at the end as
// NIST SP 800-38A (appendix B.1) has it.
func (c counter) plus(n uint64) counter {
	low, carry := bits.Add64(binary.BigEndian.Uint64(c[8:]), n, 0)
	high, _ := bits.Add64(binary.BigEndian.Uint64(c[:8]), 0, carry)
	binary.BigEndian.PutUint64(c[:8], high)
	binary.BigEndian.PutUint64(c[8:], low)
	return c
}

// stream is the key stream of one file from one of its bytes on.
type stream struct{ ctr cipher.Stream }

// newStream starts offset bytes after the block that initial counts. Files are
// sealed from counter 0; the published test vectors start elsewhere.
func newStream(key []byte, initial counter, offset int64) (*stream, error) {
	if len(key) != 16 && len(key) != 32 {
		return nil, fmt.Errorf("content key is %d bytes long, not 16 or 32", len(key))
	}
	if offset < 0 {
		return nil, fmt.Errorf("offset %d is negative", offset)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("content key: %w", err)
	}
	iv := initial.plus(uint64(offset) / aes.BlockSize)
	s := &stream{ctr: cipher.NewCTR(block, iv[:])}
	if within := int(offset % aes.BlockSize); within > 0 {
		var skipped [aes.BlockSize]byte
		s.xor(skipped[:within], skipped[:within])
	}
	return s, nil
}

func (s *stream) xor(dst, src []byte) { s.ctr.XORKeyStream(dst, src) }
