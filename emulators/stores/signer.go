package stores

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/segue-audio/segue/emulators/state"
)

// signerKey is the key of SignerEmail as PEM: the one in dir, made by the first
// call, or one for this run alone.
func signerKey(dir string) ([]byte, *rsa.PrivateKey, error) {
	if dir == "" {
		text, err := newSigner()
		if err != nil {
			return nil, nil, err
		}
		key, err := parseSigner(text)
		return text, key, err
	}
	file := filepath.Join(dir, "signer.pem")
	text, err := state.Secret(file, newSigner)
	if err != nil {
		return nil, nil, err
	}
	key, err := parseSigner(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, key, nil
}

func newSigner() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func parseSigner(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("holds no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("holds no PKCS #8 private key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("holds a key that is not RSA")
	}
	return key, nil
}
