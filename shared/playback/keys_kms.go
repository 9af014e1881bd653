package playback

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"
)

// kmsAEAD is a Cloud KMS key as Tink's AEAD. Tink's own integration does the
// same, but a module that uses it cannot be tidied: its tests import a package
// that no version of its module has any more.
type kmsAEAD struct {
	ctx  context.Context // of the one operation that this is opened for
	keys *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService
	name string
}

var errChecksum = errors.New("Cloud KMS: a checksum does not match: the data changed on its way") //nolint:staticcheck // a product's name

func openKMS(ctx context.Context, uri string, opts []option.ClientOption) (tink.AEAD, error) {
	service, err := cloudkms.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("open Cloud KMS client: %w", err)
	}
	return &kmsAEAD{ctx: ctx, keys: service.Projects.Locations.KeyRings.CryptoKeys, name: strings.TrimPrefix(uri, kmsScheme)}, nil
}

// Encrypt calls Cloud KMS, with the checksums that its integrity guidelines ask.
func (a *kmsAEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	resp, err := a.keys.Encrypt(a.name, &cloudkms.EncryptRequest{
		Plaintext: base64.StdEncoding.EncodeToString(plaintext), PlaintextCrc32c: checksum(plaintext),
		AdditionalAuthenticatedData:       base64.StdEncoding.EncodeToString(associatedData),
		AdditionalAuthenticatedDataCrc32c: checksum(associatedData),
		// Also a checksum of 0 is to be compared.
		ForceSendFields: []string{"PlaintextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}).Context(a.ctx).Do()
	if err != nil {
		return nil, fmt.Errorf("encrypt with %s: %w", a.name, err)
	}
	if !resp.VerifiedPlaintextCrc32c || !resp.VerifiedAdditionalAuthenticatedDataCrc32c {
		return nil, errChecksum
	}
	return checked(resp.Ciphertext, resp.CiphertextCrc32c)
}

// Decrypt is Encrypt's reverse.
func (a *kmsAEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	resp, err := a.keys.Decrypt(a.name, &cloudkms.DecryptRequest{
		Ciphertext: base64.StdEncoding.EncodeToString(ciphertext), CiphertextCrc32c: checksum(ciphertext),
		AdditionalAuthenticatedData:       base64.StdEncoding.EncodeToString(associatedData),
		AdditionalAuthenticatedDataCrc32c: checksum(associatedData),
		ForceSendFields:                   []string{"CiphertextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}).Context(a.ctx).Do()
	if err != nil {
		return nil, fmt.Errorf("decrypt with %s: %w", a.name, err)
	}
	return checked(resp.Plaintext, resp.PlaintextCrc32c)
}

func checked(encoded string, sum int64) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("Cloud KMS's answer: %w", err) //nolint:staticcheck // a product's name
	}
	if checksum(b) != sum {
		return nil, errChecksum
	}
	return b, nil
}

// checksum is the CRC32C (Castagnoli) of b.
func checksum(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }
