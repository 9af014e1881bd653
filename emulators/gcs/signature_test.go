package gcs

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzSignedURL asks that no URL is admitted but the one that was signed, and
// that a query is either refused or read within the rules.
func FuzzSignedURL(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	signers := map[string]*rsa.PublicKey{"a@b": &key.PublicKey}
	path := "/bucket/a%20b%2Fc"
	query := url.Values{
		"X-Goog-Algorithm": {algorithm}, "X-Goog-Credential": {"a@b/20260301/auto/storage/goog4_request"},
		"X-Goog-Date": {"20260301T120000Z"}, "X-Goog-Expires": {"600"}, "X-Goog-SignedHeaders": {"host"}, "X-Goog-Signature": {"00"},
	}
	s, err := parseSignature(query.Encode())
	if err != nil {
		f.Fatal(err)
	}
	r := httptest.NewRequestWithContext(f.Context(), http.MethodGet, "http://127.0.0.1:1"+path, nil)
	canonical := s.stringToSign(http.MethodGet, r, "host:127.0.0.1\n")
	sum := sha256.Sum256([]byte(canonical))
	value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		f.Fatal(err)
	}
	query.Set("X-Goog-Signature", hex.EncodeToString(value))
	r.URL.RawQuery = query.Encode()
	if err := verify(r, signers, now); err != nil {
		f.Fatalf("the seed is refused: %v", err)
	}
	// Each fuzzing process has a key of its own, so seeds only mark where the
	// signature goes.
	signed := query.Get("X-Goog-Signature")
	query.Set("X-Goog-Signature", "SIGNATURE")
	for _, q := range []string{
		query.Encode(), query.Encode() + "&a=b", strings.ReplaceAll(query.Encode(), "600", "604801"), "", "X-Goog-Signature=%zz", "a;b",
		"X-Goog-Credential=////", strings.ReplaceAll(query.Encode(), "host", "host;host"), strings.ReplaceAll(query.Encode(), "%2F", "/"),
	} {
		f.Add(path, q)
	}
	f.Fuzz(func(t *testing.T, path, rawQuery string) {
		rawQuery = strings.ReplaceAll(rawQuery, "SIGNATURE", signed)
		s, err := parseSignature(rawQuery)
		if err != nil {
			var ref *refusal
			if !errors.As(err, &ref) || ref.status != http.StatusBadRequest {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if life := s.until.Sub(s.from); life <= 0 || life > maxLife {
			t.Fatalf("a life of %v", life)
		}
		if s.query.Has("X-Goog-Signature") || len(s.headers) == 0 || s.account == "" {
			t.Fatalf("read as %+v", s)
		}
		target, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		target.RawQuery = rawQuery
		r := &http.Request{Method: http.MethodGet, Host: "127.0.0.1:1", URL: target, Header: http.Header{}}
		if verify(r, signers, now) == nil && s.stringToSign(http.MethodGet, r, "host:127.0.0.1\n") != canonical {
			t.Fatalf("%s?%s was never signed", path, rawQuery)
		}
	})
}

func TestSpoolHoldsTheBodyToItsBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body io.Reader
		code string
	}{
		{strings.NewReader("1234"), ""},
		{strings.NewReader("123456"), ""},
		{strings.NewReader("123"), "EntityTooSmall"},
		{strings.NewReader("1234567"), "EntityTooLarge"},
		{io.MultiReader(strings.NewReader("1234"), &endless{}), "EntityTooLarge"},
		{io.MultiReader(strings.NewReader("1234"), broken{}), "IncompleteBody"},
	} {
		dir := t.TempDir()
		s, err := spool(dir, tt.body, sizes{min: 4, max: 6})
		var ref *refusal
		if tt.code != "" && (!errors.As(err, &ref) || ref.code != tt.code) || tt.code == "" && err != nil {
			t.Errorf("%v, want %s", err, tt.code)
		}
		if err == nil {
			if err := s.discard(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"5", "5,", ",5", "6,5", "-1,5", "a,b", "1,2,3", "1,99999999999999999999"} {
		if s, err := parseSizes(header); err == nil {
			t.Errorf("%q is %+v", header, s)
		}
	}
	if s, err := parseSizes(" 0 , 5 "); err != nil || s != (sizes{0, 5}) {
		t.Errorf("%+v, %v", s, err)
	}
}

type endless struct{}

func (*endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
