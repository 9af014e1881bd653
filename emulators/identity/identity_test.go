package identity

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newIssuer(t *testing.T, dir string, now func() time.Time) *Issuer {
	t.Helper()
	i, err := New(Options{Dir: dir, Issuer: "https://segue.test", Audience: "https://api.segue.test", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

// fetchKeys starts the part and reads its keys as a function would.
func fetchKeys(t *testing.T, i *Issuer) jose.JSONWebKeySet {
	t.Helper()
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if i.Health(t.Context()) == nil {
			t.Error("the stopped part says that it is well")
		}
	}()
	if err := i.Health(t.Context()); err != nil {
		t.Error(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL()+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "max-age=") {
		t.Errorf("Cache-Control = %q", got)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAccessTokenVerifiesWithPublishedKeys(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, t.TempDir(), at(noon))
	token, err := i.AccessToken(Claims{
		Subject: "user-1", Session: "session-1", Epoch: 7, ClientID: "app-1",
		Scopes: []string{"streaming", "catalog-write"}, Product: "premium", Market: "GB",
	})
	if err != nil {
		t.Fatal(err)
	}
	set := fetchKeys(t, i)
	if len(set.Keys) != 1 || !set.Keys[0].IsPublic() || set.Keys[0].Algorithm != "ES256" || set.Keys[0].Use != "sig" {
		t.Fatalf("published keys = %+v, want the access tokens' public key alone", set.Keys)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders["typ"] != "at+jwt" || header.KeyID != set.Keys[0].KeyID {
		t.Errorf("header = %+v", header)
	}
	got := map[string]any{}
	if err := parsed.Claims(set, &got); err != nil {
		t.Fatal(err)
	}
	if id, _ := got["jti"].(string); len(id) < 20 {
		t.Errorf("jti = %q", id)
	}
	delete(got, "jti")
	want := map[string]any{
		"iss": "https://segue.test", "aud": "https://api.segue.test", "sub": "user-1",
		"sid": "session-1", "epoch": 7.0, "client_id": "app-1",
		"scope": "streaming catalog-write", "product": "premium", "market": "GB",
		"iat": float64(noon.Unix()), "exp": float64(noon.Add(time.Hour).Unix()),
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s = %v, want %v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("claims = %v", got)
	}
}

func TestAccessTokenRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, t.TempDir(), at(noon))
	for _, test := range []struct {
		name   string
		claims Claims
		want   string
	}{
		{"no subject", Claims{ClientID: "app"}, "Subject"},
		{"no client", Claims{Subject: "user"}, "ClientID"},
		{"product", Claims{Subject: "user", ClientID: "app", Product: "gold"}, `"gold"`},
	} {
		if _, err := i.AccessToken(test.claims); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want it to say %q", test.name, err, test.want)
		}
	}
}

func TestServiceTokenIsVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	issuer, stranger := newIssuer(t, dir, at(noon)), newIssuer(t, t.TempDir(), at(noon))
	service := func(i *Issuer) string {
		token, err := i.ServiceToken("http://function", "push@segue.test")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	access, err := issuer.AccessToken(Claims{Subject: "user", ClientID: "app"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, token, audience string
		now                   time.Time
		want                  string // empty: accepted
	}{
		{"right", service(issuer), "http://function", noon.Add(time.Minute), ""},
		{"another audience", service(issuer), "http://elsewhere", noon, "audience"},
		{"expired", service(issuer), "http://function", noon.Add(61 * time.Minute), "expired"},
		{"another issuer's key", service(stranger), "http://function", noon, "signature"},
		{"a user's token", access, "https://api.segue.test", noon, "signature"},
		{"no token", "", "http://function", noon, "token"},
	} {
		err := newIssuer(t, dir, at(test.now)).VerifyServiceToken(test.token, test.audience)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want %q", test.name, err, test.want)
		}
	}
}

func TestServiceTokenIsAsGooglesAre(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, t.TempDir(), at(noon))
	token, err := i.ServiceToken("http://function", "push@segue.test")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := parsed.UnsafeClaimsWithoutVerification(&got); err != nil {
		t.Fatal(err)
	}
	if got["iss"] != "https://accounts.google.com" || got["email"] != "push@segue.test" || got["email_verified"] != true || got["sub"] == "" {
		t.Errorf("claims = %v", got)
	}
	if _, err := i.ServiceToken("", "push@segue.test"); err == nil {
		t.Error("a token for no audience was signed")
	}
}

func TestKeysOutliveTheIssuer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	ids := make([][2]string, 8)
	var wg sync.WaitGroup
	for n := range ids {
		wg.Go(func() {
			i, err := New(Options{Dir: dir, Issuer: "i", Audience: "a"})
			if err != nil {
				t.Error(err)
				return
			}
			ids[n] = [2]string{i.access.id, i.service.id}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id[0] == id[1] || id[0] == "" {
			t.Fatalf("key ids of issuers on one directory = %v", ids)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
	}
}

func TestKeyIDIsTheThumbprint(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, t.TempDir(), at(noon))
	if got, want := i.access.id, thumbprint(t, i.access.public()); got != want {
		t.Errorf("key id = %q, want %q", got, want)
	}
}

func TestUnusableKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "access-token.pem"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{Dir: dir, Issuer: "i", Audience: "a"})
	if err == nil || !strings.Contains(err.Error(), "access-token.pem") {
		t.Errorf("error = %v, want it to name the file", err)
	}
}
