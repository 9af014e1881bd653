package playback

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/api/option"
)

// Wrapper wraps and unwraps content keys with a Tink keyset that it holds in
// memory: after it is opened, no call leaves the process. It is safe for
// concurrent use.
type Wrapper struct{ aead tink.AEAD }

// OpenKeyset decrypts an encrypted Tink AEAD keyset, given as JSON or as base64
// of it, with its key-encryption key: gcp-kms://… (one call to Cloud KMS, made
// with the client options) or file:///path of a cleartext keyset, which is for
// development alone.
func OpenKeyset(ctx context.Context, encryptedKeyset, kek string, opts ...option.ClientOption) (*Wrapper, error) {
	handle, err := readHandle(ctx, encryptedKeyset, kek, opts)
	if err != nil {
		return nil, err
	}
	return newWrapper(handle)
}

func newWrapper(handle *keyset.Handle) (*Wrapper, error) {
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("keyset does not hold AEAD keys: %w", err)
	}
	return &Wrapper{aead: a}, nil
}

// NewContentKey draws a key of the scheme and wraps it for exactly the file
// that the binding names. A nil random is the system's.
func (w *Wrapper) NewContentKey(random io.Reader, scheme Scheme, b Binding) (key, wrapped []byte, err error) {
	size, err := scheme.KeySize()
	if err != nil {
		return nil, nil, err
	}
	bound, err := b.associatedData()
	if err != nil {
		return nil, nil, err
	}
	if random == nil {
		random = rand.Reader
	}
	key = make([]byte, size)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, nil, fmt.Errorf("draw content key: %w", err)
	}
	wrapped, err = w.aead.Encrypt(key, bound)
	if err != nil {
		return nil, nil, fmt.Errorf("wrap content key: %w", err)
	}
	return key, wrapped, nil
}

// Unwrap gives back the key, if it was wrapped for this binding.
func (w *Wrapper) Unwrap(wrapped []byte, b Binding) ([]byte, error) {
	bound, err := b.associatedData()
	if err != nil {
		return nil, err
	}
	key, err := w.aead.Decrypt(wrapped, bound)
	if err != nil {
		return nil, fmt.Errorf("unwrap content key of %s: %w", bound, err)
	}
	return key, nil
}

// Rewrap wraps the same key anew, with the primary.
func (w *Wrapper) Rewrap(wrapped []byte, b Binding) ([]byte, error) {
	key, err := w.Unwrap(wrapped, b)
	if err != nil {
		return nil, err
	}
	bound, err := b.associatedData()
	if err != nil {
		return nil, err
	}
	again, err := w.aead.Encrypt(key, bound)
	if err != nil {
		return nil, fmt.Errorf("wrap content key: %w", err)
	}
	return again, nil
}

// WrappedUnder is the id of the keyset's key that a content key was wrapped
// with: Tink begins a ciphertext with 1 and the id, big-endian.
func WrappedUnder(wrapped []byte) (id uint32, ok bool) {
	if len(wrapped) < cryptofmt.TinkPrefixSize || wrapped[0] != cryptofmt.TinkStartByte {
		return 0, false
	}
	return binary.BigEndian.Uint32(wrapped[1:]), true
}

// keysetJSON takes the forms in which secrets are kept.
func keysetJSON(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, errors.New("keyset is empty")
	}
	if strings.HasPrefix(s, "{") {
		return []byte(s), nil
	}
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("keyset is neither JSON nor base64: %w", err)
	}
	return text, nil
}

// inContext gives up on a call that takes no context when ctx ends; the call
// itself ends by the limits of its client.
func inContext[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := call()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
