package httpapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	tokenIssuer   = "https://accounts.segue.test"
	tokenAudience = "https://api.segue.test"
)

// issuer signs tokens and publishes its keys over HTTP.
type issuer struct {
	url string
	key jose.JSONWebKey // the one that signs

	mu      sync.Mutex
	keys    []any // what is published
	down    bool
	fetches int
	// hang, when set, keeps each fetch until it is closed; asked tells of them.
	hang, asked chan struct{}
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{key: newKey(t, "key-1")}
	i.publish(i.key.Public())
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	i.fetches++
	down, keys, hang := i.down, i.keys, i.hang
	i.mu.Unlock()
	if hang != nil {
		i.asked <- struct{}{}
		<-hang
	}
	if down {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
}

func (i *issuer) publish(keys ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func newKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, KeyID: id, Algorithm: "ES256", Use: "sig"}
}

type claim = map[string]any

// without, as a claim's value, leaves the claim out.
var without = struct{}{}

// token is a good access token of the time, but for what changes says.
func (i *issuer) token(t testing.TB, now time.Time, changes claim) string {
	t.Helper()
	return sign(t, i.key, jose.ES256, new(jose.SignerOptions).WithType("at+jwt"), now, changes)
}

func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, o *jose.SignerOptions, now time.Time, changes claim) string {
	t.Helper()
	c := claim{
		"iss": tokenIssuer, "aud": tokenAudience, "sub": "user-1", "client_id": "app-1", "sid": "session-1", "epoch": 7,
		"scope": "streaming write", "product": "premium", "market": "SE", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == without })
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
