package gcp_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/gcp"
)

func TestMain(m *testing.M) { emutest.Main(m) }

func TestClientsAreMadeOnceAndShared(t *testing.T) {
	t.Parallel()
	database := emutest.Database(t).DatabaseName()
	c := gcp.Config{Project: strings.Split(database, "/")[1], Database: database}
	same, other := gcp.For(c), gcp.For(gcp.Config{Project: "other", Database: database})
	if gcp.For(c) != same || other == same {
		t.Error("clients are not shared by their configuration")
	}
	first, err := gcp.For(c).Spanner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Close)
	if second, err := gcp.For(c).Spanner(); err != nil || second != first {
		t.Errorf("a second client: %p, %v, want %p", second, err, first)
	}
	var n int64
	row := first.Single().Query(t.Context(), spanner.NewStatement("SELECT 1"))
	defer row.Stop()
	if r, err := row.Next(); err != nil || r.Column(0, &n) != nil || n != 1 {
		t.Errorf("query: %d, %v", n, err)
	}
	topics, err := gcp.For(c).PubSub()
	if err != nil || topics.Project() != c.Project {
		t.Errorf("Pub/Sub client: %v", err)
	}
	if topics != nil {
		t.Cleanup(func() { _ = topics.Close() })
	}
}

func TestClientThatCannotBeMade(t *testing.T) {
	t.Parallel()
	if _, err := gcp.New(gcp.Config{Project: "p", Database: "segue"}).Spanner(); err == nil || !strings.HasPrefix(err.Error(), "connect to Spanner: ") {
		t.Errorf("database without a path: %v", err)
	}
}

// The local buckets are private: the client opens them with the run's bearer.
func TestStorageWorksWhereAStrangerIsRefused(t *testing.T) {
	t.Parallel()
	name := emutest.Bucket(t).BucketName()
	bucket, err := gcp.New(gcp.Config{}).Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bucket.Object("a").NewWriter(t.Context())
	if _, err := io.WriteString(w, "music"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o := storage.SignedURLOptions{Method: http.MethodGet, Expires: time.Now().Add(time.Minute)}
	signed, err := gcp.SignerConfig{
		StorageURL: os.Getenv("SEGUE_STORAGE_URL"), Email: os.Getenv("SEGUE_SIGNER_EMAIL"), Key: os.Getenv("SEGUE_SIGNER_KEY"),
	}.SignURL(bucket, "a", o)
	if err != nil {
		t.Fatal(err)
	}
	plain, _, _ := strings.Cut(signed, "?")
	if status, body := get(t, signed); status != 200 || body != "music" {
		t.Errorf("signed: status %d: %s", status, body)
	}
	if status, _ := get(t, plain); status < 400 || status >= 500 {
		t.Errorf("unsigned: status %d", status)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBearerLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	sent, away := "", errors.New("away")
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://storage.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := gcp.Bearer{Token: "x", Base: transport(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Get("Authorization")
		return nil, away
	})}.RoundTrip(r)
	if resp != nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, away) || sent != "Bearer x" || r.Header.Get("Authorization") != "" {
		t.Errorf("sent %q, %v; the caller's request has %v", sent, err, r.Header)
	}
}

func TestSignerHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url, host string
		insecure  bool
		bad       bool
	}{
		{"", "", false, false},
		{"https://storage.segue.test", "storage.segue.test", false, false},
		{"http://127.0.0.1:4443/", "127.0.0.1:4443", true, false},
		{"127.0.0.1:4443", "", false, true},
		{"ftp://storage.segue.test", "", false, true},
		{"http://storage.segue.test/path", "", false, true},
		{"https://", "", false, true},
		{"http://a b", "", false, true},
	} {
		host, insecure, err := gcp.SignerConfig{StorageURL: test.url}.Host()
		if host != test.host || insecure != test.insecure || (err != nil) != test.bad {
			t.Errorf("%q: %q, %v, %v", test.url, host, insecure, err)
		}
		if test.bad && !strings.Contains(err.Error(), "SEGUE_STORAGE_URL") {
			t.Errorf("%q: the error does not name the variable: %v", test.url, err)
		}
	}
}

func TestSignURLIsAtTheConfiguredHost(t *testing.T) {
	t.Parallel()
	emutest.Start(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := gcp.SignerConfig{StorageURL: "https://storage.segue.test", Email: "signer@segue.test", Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	bucket, err := gcp.New(gcp.Config{}).Bucket("uploads")
	if err != nil {
		t.Fatal(err)
	}
	o := storage.SignedURLOptions{Method: http.MethodPut, ContentType: "audio/flac", Expires: time.Now().Add(time.Minute)}
	signed, err := c.SignURL(bucket, "a b", o)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "https" || u.Host != "storage.segue.test" || u.Path != "/uploads/a b" ||
		q.Get("X-Goog-Algorithm") != "GOOG4-RSA-SHA256" || !strings.HasPrefix(q.Get("X-Goog-Credential"), "signer@segue.test/") {
		t.Errorf("signed URL = %s", signed)
	}
	c.StorageURL = "nowhere"
	if _, err := c.SignURL(bucket, "a", o); err == nil || !strings.Contains(err.Error(), "SEGUE_STORAGE_URL") {
		t.Errorf("bad host: %v", err)
	}
	c = gcp.SignerConfig{Email: "signer@segue.test", Key: "not a key"}
	if _, err := c.SignURL(bucket, "a", o); err == nil || !strings.HasPrefix(err.Error(), "sign a URL for a: ") {
		t.Errorf("bad key: %v", err)
	}
}
