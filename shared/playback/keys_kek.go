package playback

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/api/option"
)

const (
	kmsScheme  = "gcp-kms://"
	fileScheme = "file://"
)

// openKEK finds the key that keysets are encrypted with; it makes no call yet.
func openKEK(ctx context.Context, uri string, opts []option.ClientOption) (tink.AEAD, error) {
	switch {
	case strings.HasPrefix(uri, kmsScheme):
		return openKMS(ctx, uri, opts)
	case strings.HasPrefix(uri, fileScheme):
		return openLocalKEK(uri)
	default:
		return nil, fmt.Errorf("key-encryption key %q is neither %s… nor %s/path", uri, kmsScheme, fileScheme)
	}
}

func openLocalKEK(uri string) (tink.AEAD, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	if u.Host != "" || !filepath.IsAbs(u.Path) {
		return nil, fmt.Errorf("key-encryption key %q must be %s and an absolute path", uri, fileScheme)
	}
	text, err := os.ReadFile(u.Path)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("key-encryption key %s: %w", u.Path, err)
	}
	master, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key %s: %w", u.Path, err)
	}
	return master, nil
}
