package playback

import (
	"context"
	"fmt"
)

// KeyConfig says how content keys are wrapped, and what content is encrypted
// with.
type KeyConfig struct {
	// Keyset is an encrypted Tink keyset, as JSON or base64 of it.
	Keyset string `env:"SEGUE_KEYSET, required"`
	// KEK opens it: gcp-kms://… or, in development, file:///….
	KEK string `env:"SEGUE_KEYSET_KEK, required"`
	// Cipher of new renditions; those that exist keep theirs.
	Cipher Scheme `env:"SEGUE_CONTENT_CIPHER, default=aes-128-ctr"`
}

// Open opens the keyset: one call to Cloud KMS, at the cold start.
func (c KeyConfig) Open(ctx context.Context) (*Wrapper, error) {
	if _, err := c.Cipher.KeySize(); err != nil {
		return nil, fmt.Errorf("SEGUE_CONTENT_CIPHER: %w", err)
	}
	return OpenKeyset(ctx, c.Keyset, c.KEK)
}
