package httpapi

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestTokenSaysWhoCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := Caller{
		Subject: "user-1", ClientID: "app-1", Session: "session-1", Epoch: 7,
		Scopes: []string{"streaming", "write"}, Product: "premium", Market: "SE",
	}
	if d := cmp.Diff(want, w.do(t, "GET", "/v1/things/a", "").seen(t).Caller); d != "" {
		t.Errorf("caller (-want +got):\n%s", d)
	}
}

func typ(s string) *jose.SignerOptions { return new(jose.SignerOptions).WithType(jose.ContentType(s)) }

func TestAcceptedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	for name, authorization := range map[string]string{
		"scheme in lower case":       "bearer " + w.token(t, now, nil),
		"long form of the type":      "Bearer " + sign(t, w.key, jose.ES256, typ("application/at+jwt"), now, nil),
		"type in upper case":         "Bearer " + sign(t, w.key, jose.ES256, typ("AT+JWT"), now, nil),
		"one of several audiences":   "Bearer " + w.token(t, now, claim{"aud": []string{"https://other.test", tokenAudience}}),
		"expired within the leeway":  "Bearer " + w.token(t, now, claim{"exp": now.Add(-leeway + time.Second).Unix()}),
		"valid from within a leeway": "Bearer " + w.token(t, now, claim{"nbf": now.Add(leeway - time.Second).Unix()}),
		"without scopes":             "Bearer " + w.token(t, now, claim{"scope": without}),
	} {
		if got := send(t, "GET", w.url+"/v1/things/a", "", header("Authorization", authorization)); got.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, got.status, got.body)
		}
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	access := typ("at+jwt")
	with := func(changes claim) string { return "Bearer " + w.token(t, now, changes) }
	good := w.token(t, now, nil)
	parts := strings.Split(good, ".")
	stranger := newKey(t, w.key.KeyID)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// The classic confusion: the public key, which all know, as a shared secret.
	public, err := x509.MarshalPKIXPublicKey(w.key.Key.(*ecdsa.PrivateKey).Public())
	if err != nil {
		t.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"key-1"}`))
	other := strings.Split(w.token(t, now, claim{"sub": "user-2"}), ".")
	for _, test := range []struct{ name, authorization, want string }{
		{"none", "", "no access token"},
		{"Basic", "Basic dXNlcjpwYXNz", "not a bearer token"},
		{"no scheme", good, "not a bearer token"},
		{"no token", "Bearer ", "not a bearer token"},
		{"garbage", "Bearer garbage", "not a JWT"},
		{"garbage in three parts", "Bearer a.b.c", "not a JWT"},
		{"as JSON", `Bearer {"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "not a JWT"},
		{"two tokens", "Bearer " + good + " " + good, "not a JWT"},
		{"no signature", "Bearer " + parts[0] + "." + parts[1] + ".", "signature is wrong"},
		{"another token's signature", "Bearer " + parts[0] + "." + parts[1] + "." + other[2], "signature is wrong"},
		{"issuer", with(claim{"iss": "https://accounts.other.test"}), "another issuer"},
		{"no issuer", with(claim{"iss": without}), "another issuer"},
		{"audience", with(claim{"aud": "https://api.other.test"}), "another audience"},
		{"no audience", with(claim{"aud": without}), "another audience"},
		{"expired", with(claim{"exp": now.Add(-leeway - time.Second).Unix()}), "The access token expired"},
		{"not yet valid", with(claim{"nbf": now.Add(leeway + time.Second).Unix()}), "claims do not hold"},
		{"issued in the future", with(claim{"iat": now.Add(leeway + time.Second).Unix()}), "claims do not hold"},
		{"no expiry", with(claim{"exp": without}), "no expiry"},
		{"no subject", with(claim{"sub": without}), "no subject"},
		{"claims of other types", with(claim{"epoch": "seven"}), "signature is wrong"},
		{"an ID token", "Bearer " + sign(t, w.key, jose.ES256, typ("JWT"), now, nil), "typ is not at+jwt"},
		{"no type", "Bearer " + sign(t, w.key, jose.ES256, nil, now, nil), "typ is not at+jwt"},
		{"a stranger's key under the same id", "Bearer " + sign(t, stranger, jose.ES256, access, now, nil), "signature is wrong"},
		{"a key that nobody publishes", "Bearer " + sign(t, newKey(t, "key-9"), jose.ES256, access, now, nil), "unknown key"},
		{"a key that the token brings", "Bearer " + sign(t, stranger.Key, jose.ES256, &jose.SignerOptions{EmbedJWK: true, ExtraHeaders: access.ExtraHeaders}, now, nil), "unknown key"},
		{"no key id", "Bearer " + sign(t, w.key.Key, jose.ES256, access, now, nil), "unknown key"},
		{"HS256 with the public key", "Bearer " + sign(t, jose.JSONWebKey{Key: public, KeyID: "key-1"}, jose.HS256, access, now, nil), "not a JWT signed with ES256"},
		{"RS256", "Bearer " + sign(t, jose.JSONWebKey{Key: rsaKey, KeyID: "key-1"}, jose.RS256, access, now, nil), "not a JWT signed with ES256"},
		{"unsigned", "Bearer " + none + "." + parts[1] + ".", "not a JWT signed with ES256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, "GET", w.url+"/v1/things/a", "", header("Authorization", test.authorization))
			got.is(t, http.StatusUnauthorized, test.want)
			if challenge := got.header.Get("WWW-Authenticate"); challenge != `Bearer realm="segue"` {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
		})
	}
}

func TestScopeIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, scope := range map[string]any{"others": "streaming writer", "none": without, "a part of its name": "wri"} {
		bearer := header("Authorization", "Bearer "+w.token(t, w.clock.Now(), claim{"scope": scope}))
		got := send(t, "POST", w.url+"/v1/things", "{}", bearer)
		got.is(t, http.StatusForbidden, "insufficient client scope: this needs write")
		if reason := got.refusal(t).Reason; reason != "insufficient_scope" {
			t.Errorf("%s: reason = %q", name, reason)
		}
	}
	if got := w.do(t, "POST", "/v1/things", "{}"); got.status != http.StatusCreated {
		t.Errorf("with the scope: status %d: %s", got.status, got.body)
	}
}
