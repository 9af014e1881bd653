package playback

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
)

const signerEmail = "signer@segue.iam.gserviceaccount.com"

func newRSA(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// checkV4 does what Cloud Storage does with a signed GET: it rebuilds the text
// that was signed from the URL alone.
// https://cloud.google.com/storage/docs/access-control/signed-urls
func checkV4(t *testing.T, signed string, key *rsa.PublicKey) *url.URL {
	t.Helper()
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	signature, err := hex.DecodeString(q.Get("X-Goog-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	q.Del("X-Goog-Signature")
	_, scope, _ := strings.Cut(q.Get("X-Goog-Credential"), "/")
	canonical := strings.Join([]string{
		http.MethodGet, u.EscapedPath(), strings.ReplaceAll(q.Encode(), "+", "%20"),
		"host:" + u.Hostname() + "\n", "host", "UNSIGNED-PAYLOAD",
	}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"GOOG4-RSA-SHA256", q.Get("X-Goog-Date"), scope, hex.EncodeToString(hash[:])}, "\n")
	sum := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		t.Fatalf("%s: %v", signed, err)
	}
	return u
}

func TestGCSV4SignsEachObject(t *testing.T) {
	t.Parallel()
	key, text := newRSA(t)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	iam := startIAM(t, key)
	client, err := storage.NewClient(t.Context(), option.WithHTTPClient(iam.Client()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, c := range map[string]struct {
		opts GCSOptions
		base string
	}{
		"PKCS #8": {GCSOptions{PrivateKey: text}, "https://storage.googleapis.com"},
		"PKCS #1": {GCSOptions{PrivateKey: pkcs1}, "https://storage.googleapis.com"},
		"a local emulator": {
			GCSOptions{PrivateKey: text, Host: "127.0.0.1:4443", Insecure: true}, "http://127.0.0.1:4443",
		},
		"a signing function": {GCSOptions{SignBytes: signWith(key)}, "https://storage.googleapis.com"},
		"IAM's signBlob":     {GCSOptions{Handle: client.Bucket("audio-bucket")}, "https://storage.googleapis.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opts.Bucket, c.opts.GoogleAccessID = "audio-bucket", signerEmail
			g, err := NewGCSV4(c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.Sign(t.Context(), "audio/abc/", time.Now().Add(10*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			for object, signed := range map[string]string{"data": got.Data, "hashes": got.Hashes, "seek": got.Seek} {
				u := checkV4(t, signed, &key.PublicKey)
				if where := u.Scheme + "://" + u.Host + u.Path; where != c.base+"/audio-bucket/audio/abc/"+object {
					t.Errorf("%s is at %s", object, where)
				}
				if left := u.Query().Get("X-Goog-Expires"); left != "600" && left != "599" {
					t.Errorf("%s lasts %s seconds", object, left)
				}
			}
		})
	}
	t.Cleanup(func() {
		if n := iam.calls.Load(); n != 3 {
			t.Errorf("signing by IAM made %d calls, want one for each object", n)
		}
	})
}

// fakeIAM plays the IAM Credentials API's signBlob, whatever host is asked.
type fakeIAM struct {
	*httptest.Server
	calls atomic.Int64
}

func startIAM(t *testing.T, key *rsa.PrivateKey) *fakeIAM {
	t.Helper()
	iam := &fakeIAM{}
	iam.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		iam.calls.Add(1)
		var req struct{ Payload []byte }
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || !strings.HasSuffix(r.URL.Path, signerEmail+":signBlob") {
			http.Error(w, "not a signBlob", http.StatusBadRequest)
			return
		}
		signed, err := signWith(key)(r.Context(), req.Payload)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"signedBlob": base64.StdEncoding.EncodeToString(signed)})
	}))
	t.Cleanup(iam.Close)
	return iam
}

func (f *fakeIAM) Client() *http.Client {
	return &http.Client{Transport: redirected{to: strings.TrimPrefix(f.URL, "http://")}}
}

type redirected struct{ to string }

func (d redirected) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", d.to
	return http.DefaultTransport.RoundTrip(r)
}

func TestGCSV4RefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	key, text := newRSA(t)
	ec := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not a key")})
	for name, opts := range map[string]GCSOptions{
		"no bucket":    {GoogleAccessID: signerEmail, PrivateKey: text},
		"no account":   {Bucket: "b", PrivateKey: text},
		"no key":       {Bucket: "b", GoogleAccessID: signerEmail},
		"two ways":     {Bucket: "b", GoogleAccessID: signerEmail, PrivateKey: text, SignBytes: signWith(key)},
		"not PEM":      {Bucket: "b", GoogleAccessID: signerEmail, PrivateKey: []byte("key")},
		"PEM, no key":  {Bucket: "b", GoogleAccessID: signerEmail, PrivateKey: ec},
		"nothing else": {},
	} {
		if _, err := NewGCSV4(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestGCSV4RefusesRequests(t *testing.T) {
	t.Parallel()
	refused := errors.New("signBlob: permission denied")
	g, err := NewGCSV4(GCSOptions{
		Bucket: "b", GoogleAccessID: signerEmail,
		SignBytes: func(context.Context, []byte) ([]byte, error) { return nil, refused },
	})
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Minute)
	for _, folder := range badFolders() {
		if _, err := g.Sign(t.Context(), folder, soon); err == nil || errors.Is(err, refused) {
			t.Errorf("%q went as far as signing: %v", folder, err)
		}
	}
	if got, err := g.Sign(t.Context(), "audio/abc/", soon); !errors.Is(err, refused) || got != (URLs{}) {
		t.Errorf("a refused signature: %+v, %v", got, err)
	}
	for name, expires := range map[string]time.Time{
		"never": {}, "the past": time.Now().Add(-time.Hour), "eight days": time.Now().Add(8 * 24 * time.Hour),
	} {
		if _, err := g.Sign(t.Context(), "audio/abc/", expires); err == nil || errors.Is(err, refused) {
			t.Errorf("expiry %s went as far as signing: %v", name, err)
		}
	}
}

func TestGCSV4EndsWithItsContext(t *testing.T) {
	t.Parallel()
	g, err := NewGCSV4(GCSOptions{
		Bucket: "b", GoogleAccessID: signerEmail,
		SignBytes: func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := g.Sign(ctx, "audio/abc/", time.Now().Add(time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging signature ends with %v", err)
	}
}
