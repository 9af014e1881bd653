package playback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The objects of a rendition's folder.
const (
	DataObject   = "data"
	HashesObject = "hashes"
	SeekObject   = "seek"
)

// URLs are the signed addresses of one rendition's objects.
type URLs struct{ Data, Hashes, Seek string }

// Signer gives anyone who holds the URLs read access to one rendition's folder,
// written audio/{random}/, until they expire.
type Signer interface {
	Sign(ctx context.Context, folder string, expires time.Time) (URLs, error)
}

// checkFolder keeps a signature from reaching further than one folder: it ends
// in a slash (a prefix without one also covers its longer siblings) and has no
// part that a path is rewritten by.
func checkFolder(folder string) error {
	inner, ok := strings.CutSuffix(folder, "/")
	if !ok {
		return fmt.Errorf("folder %q does not end in a slash", folder)
	}
	for part := range strings.SplitSeq(inner, "/") {
		if !isName(part) {
			return fmt.Errorf("folder %q may have only letters, digits, - and _ between its slashes", folder)
		}
	}
	return nil
}

func checkExpiry(expires time.Time) error {
	if expires.Unix() <= 0 {
		return errors.New("signed URL has no expiry")
	}
	return nil
}

// isName holds for base64url text, which needs no escaping anywhere in a URL.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}
