package playback

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
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
	text, err := keysetJSON(encryptedKeyset)
	if err != nil {
		return nil, err
	}
	master, err := openKEK(ctx, kek, opts)
	if err != nil {
		return nil, err
	}
	handle, err := inContext(ctx, func() (*keyset.Handle, error) {
		return keyset.Read(keyset.NewJSONReader(bytes.NewReader(text)), master)
	})
	if err != nil {
		return nil, fmt.Errorf("decrypt keyset with %s: %w", kek, err)
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
