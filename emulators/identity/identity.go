// Package identity is the local issuer of tokens: it signs the access tokens
// that a user's client sends and the OIDC tokens that Pub/Sub and Cloud
// Scheduler send, and publishes the keys of the former. It is not an OAuth
// server: it has no users and no consent, and gives a token to whoever holds
// the Issuer.
package identity

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/segue-audio/segue/emulators/part"
)

// Options says where the keys are kept and whom the access tokens name.
type Options struct {
	Dir      string // the keys' directory; they are created when missing
	Issuer   string // iss of access tokens
	Audience string // aud of access tokens
	Now      func() time.Time
	Port     int // of the part's server; 0 takes any free port
}

// Issuer signs tokens. Its two keys are apart so that a service's token can
// never pass for a user's, nor the other way round.
type Issuer struct {
	options Options
	access  key
	service key
	server  *part.Server
}

type key struct {
	id      string
	private *ecdsa.PrivateKey
}

// New loads the keys from the directory, or creates them there.
func New(o Options) (*Issuer, error) {
	if o.Dir == "" || o.Issuer == "" || o.Audience == "" {
		return nil, errors.New("identity: Dir, Issuer and Audience are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	access, err := loadKey(filepath.Join(o.Dir, "access-token.pem"))
	if err != nil {
		return nil, fmt.Errorf("identity: key of access tokens: %w", err)
	}
	service, err := loadKey(filepath.Join(o.Dir, "service-token.pem"))
	if err != nil {
		return nil, fmt.Errorf("identity: key of service tokens: %w", err)
	}
	return &Issuer{options: o, access: access, service: service}, nil
}

func (k key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(jose.ES256), Use: "sig"}
}
