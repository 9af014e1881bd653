package playback

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The files of a local keyset.
const (
	localKEKFile    = "kek.json"
	localKeysetFile = "keyset.json"
)

// CreateLocalKeyset gives development what Cloud KMS and Secret Manager give
// production: the arguments of OpenKeyset, made in dir on the first call and the
// same on every later one. It never overwrites a file: a lost key is lost audio.
//
// A process that dies in between leaves a stray temporary file, or a
// key-encryption key without a keyset, which the next call then makes. Of two
// processes that call it at once, both return what the first one made.
func CreateLocalKeyset(dir string) (keysetJSON, kekURI string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", "", fmt.Errorf("local keyset: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("local keyset: %w", err)
	}
	kekPath, keysetPath := filepath.Join(dir, localKEKFile), filepath.Join(dir, localKeysetFile)
	if err := keysetHasKEK(keysetPath, kekPath); err != nil {
		return "", "", err
	}
	if _, err := loadOrCreate(kekPath, newKEK); err != nil {
		return "", "", err
	}
	kekURI = (&url.URL{Scheme: "file", Path: kekPath}).String()
	master, err := openLocalKEK(kekURI)
	if err != nil {
		return "", "", err
	}
	text, err := loadOrCreate(keysetPath, func() ([]byte, error) { return newKeyset(master) })
	if err != nil {
		return "", "", err
	}
	return string(text), kekURI, nil
}

// keysetHasKEK refuses to make a new key beside a keyset that needs another:
// its error must name the loss, not a failed decryption.
func keysetHasKEK(keysetPath, kekPath string) error {
	if _, err := os.Stat(keysetPath); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(kekPath); err != nil {
		return fmt.Errorf("%s exists but its key-encryption key does not: %w", keysetPath, err)
	}
	return nil
}

func newKEK() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("new key-encryption key: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("new key-encryption key: %w", err)
	}
	return text.Bytes(), nil
}

// newKeyset is a keyset of one AES-256-GCM key, encrypted by master.
func newKeyset(master tink.AEAD) ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("new keyset: %w", err)
	}
	return encryptKeyset(handle, master)
}

func encryptKeyset(handle *keyset.Handle, master tink.AEAD) ([]byte, error) {
	var text bytes.Buffer
	if err := handle.Write(keyset.NewJSONWriter(&text), master); err != nil {
		return nil, fmt.Errorf("encrypt keyset: %w", err)
	}
	return text.Bytes(), nil
}
