package playback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/api/option"
)

// RewrapSettles is how long a wrapped key that was read before it was re-wrapped
// may still be in use: longer than any cache keeps a rendition, and than any
// function works on one. Until then its old key has to open it.
const RewrapSettles = 30 * time.Minute

// Keyset is a keyset that an operator changes; functions only open theirs. Its
// keys stand in the order in which they were added. A change is in memory until
// Encrypt gives the keyset to keep.
type Keyset struct {
	kek     string
	opts    []option.ClientOption
	manager *keyset.Manager
}

// KeyInfo is what of a key is no secret.
type KeyInfo struct {
	ID      uint32
	Enabled bool
	Primary bool // new content keys are wrapped with it
}

// ReadKeyset opens a keyset, given as OpenKeyset takes it, to change it.
func ReadKeyset(ctx context.Context, encryptedKeyset, kek string, opts ...option.ClientOption) (*Keyset, error) {
	handle, err := readHandle(ctx, encryptedKeyset, kek, opts)
	if err != nil {
		return nil, err
	}
	if _, err := newWrapper(handle); err != nil {
		return nil, err
	}
	return &Keyset{kek: kek, opts: opts, manager: keyset.NewManagerFromHandle(handle)}, nil
}

// Keys lists the keys, the oldest first.
func (k *Keyset) Keys() ([]KeyInfo, error) {
	handle, err := k.manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	all := make([]KeyInfo, handle.Len())
	for i := range all {
		e, err := handle.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("keyset: %w", err)
		}
		all[i] = KeyInfo{ID: e.KeyID(), Enabled: e.KeyStatus() == keyset.Enabled, Primary: e.IsPrimary()}
	}
	return all, nil
}

// Primary is the key that content keys are wrapped with.
func (k *Keyset) Primary() (uint32, error) {
	keys, err := k.Keys()
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if key.Primary {
			return key.ID, nil
		}
	}
	return 0, errors.New("keyset has no primary key")
}

// Key finds one key.
func (k *Keyset) Key(id uint32) (KeyInfo, error) {
	keys, err := k.Keys()
	if err != nil {
		return KeyInfo{}, err
	}
	i := slices.IndexFunc(keys, func(key KeyInfo) bool { return key.ID == id })
	if i < 0 {
		return KeyInfo{}, fmt.Errorf("the keyset has no key %d", id)
	}
	return keys[i], nil
}

// Newest is the key that was added last.
func (k *Keyset) Newest() (KeyInfo, error) {
	keys, err := k.Keys()
	if err != nil {
		return KeyInfo{}, err
	}
	return keys[len(keys)-1], nil
}

// Add draws a key that opens what it wrapped, but wraps nothing yet: every
// instance has to know it before one uses it.
func (k *Keyset) Add() (uint32, error) {
	id, err := k.manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return 0, fmt.Errorf("add a key: %w", err)
	}
	return id, nil
}

// Promote makes a key the one that wraps.
func (k *Keyset) Promote(id uint32) error {
	if err := k.manager.SetPrimary(id); err != nil {
		return fmt.Errorf("promote key %d: %w", id, err)
	}
	return nil
}

// Disable keeps a key that opens nothing any more; the primary stays.
func (k *Keyset) Disable(id uint32) error {
	if err := k.manager.Disable(id); err != nil {
		return fmt.Errorf("disable key %d: %w", id, err)
	}
	return nil
}

// Destroy removes a key; what it wrapped is lost. It must be disabled, so that
// somebody would have noticed that it is still needed.
func (k *Keyset) Destroy(id uint32) error {
	key, err := k.Key(id)
	if err != nil {
		return err
	}
	if key.Enabled {
		return fmt.Errorf("key %d is still enabled", id)
	}
	if err := k.manager.Delete(id); err != nil {
		return fmt.Errorf("destroy key %d: %w", id, err)
	}
	return nil
}

// Wrapper works with the keyset as it is now.
func (k *Keyset) Wrapper() (*Wrapper, error) {
	handle, err := k.manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return newWrapper(handle)
}

// Encrypt is the keyset as OpenKeyset takes it: JSON, whose keys only the
// key-encryption key opens.
func (k *Keyset) Encrypt(ctx context.Context) (string, error) {
	handle, err := k.manager.Handle()
	if err != nil {
		return "", fmt.Errorf("keyset: %w", err)
	}
	master, err := openKEK(ctx, k.kek, k.opts)
	if err != nil {
		return "", err
	}
	text, err := inContext(ctx, func() ([]byte, error) { return encryptKeyset(handle, master) })
	return string(text), err
}

func readHandle(ctx context.Context, encryptedKeyset, kek string, opts []option.ClientOption) (*keyset.Handle, error) {
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
	return handle, nil
}
