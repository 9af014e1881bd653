// Package id makes and reads identifiers: 128 random bits as 22 characters of
// base62, the form that clients of the Web API expect, and spotify: URIs.
package id

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"strings"
)

// Length is the number of characters of an id: 62^22 > 2^128 > 62^21.
const Length = 22

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Source draws ids. Stores and handlers take one, so that tests can choose.
type Source func() string

// Random is the source for everything that is not a test.
func Random() string {
	// crypto/rand.Reader never fails: the runtime ends the program first.
	s, err := From(rand.Reader)
	if err != nil {
		panic(err)
	}
	return s
}

// From draws an id from r.
func From(r io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("draw id: %w", err)
	}
	return encode(b), nil
}

func encode(b [16]byte) string {
	n, base, digit := new(big.Int).SetBytes(b[:]), big.NewInt(62), new(big.Int)
	var out [Length]byte
	for i := Length - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out[:])
}

// Valid says whether s has the form of an id.
func Valid(s string) bool {
	if len(s) != Length {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// URI is spotify:kind:id.
func URI(kind, id string) string { return "spotify:" + kind + ":" + id }

// ParseURI reads spotify:kind:id.
func ParseURI(s string) (kind, value string, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 || parts[0] != "spotify" || parts[1] == "" || !Valid(parts[2]) {
		return "", "", fmt.Errorf("%q is not of the form spotify:kind:id", s)
	}
	return parts[1], parts[2], nil
}
