package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// thumbprint is RFC 7638 by hand: SHA-256 of the required members in
// lexicographic order, without white space.
func thumbprint(t *testing.T, k jose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	var members struct{ Crv, Kty, X, Y string }
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":%q,"x":%q,"y":%q}`, members.Crv, members.Kty, members.X, members.Y))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
