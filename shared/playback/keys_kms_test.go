package playback

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"
)

const kmsKey = "projects/p/locations/global/keyRings/segue/cryptoKeys/keyset"

// fakeKMS answers encrypt and decrypt of Cloud KMS's REST API, checksums
// included, for one key.
type fakeKMS struct {
	*httptest.Server
	gcm     cipher.AEAD
	calls   atomic.Int64
	refuses atomic.Bool
}

func startKMS(t *testing.T) *fakeKMS {
	t.Helper()
	block, err := aes.NewCipher(noise(9, 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKMS{gcm: gcm}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/"+kmsKey+":encrypt", k.encrypt)
	mux.HandleFunc("POST /v1/"+kmsKey+":decrypt", k.decrypt)
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.calls.Add(1)
		if k.refuses.Load() {
			http.Error(w, "permission denied", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *fakeKMS) options() []option.ClientOption {
	return []option.ClientOption{option.WithEndpoint(k.URL), option.WithoutAuthentication()}
}

func (k *fakeKMS) encrypt(w http.ResponseWriter, r *http.Request) {
	var req cloudkms.EncryptRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	nonce := make([]byte, k.gcm.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := k.gcm.Seal(nonce, nonce, fromBase64(req.Plaintext), fromBase64(req.AdditionalAuthenticatedData))
	_ = json.NewEncoder(w).Encode(cloudkms.EncryptResponse{
		Ciphertext: base64.StdEncoding.EncodeToString(sealed), CiphertextCrc32c: castagnoli(sealed),
		VerifiedPlaintextCrc32c: true, VerifiedAdditionalAuthenticatedDataCrc32c: true,
	})
}

func (k *fakeKMS) decrypt(w http.ResponseWriter, r *http.Request) {
	var req cloudkms.DecryptRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sealed, n := fromBase64(req.Ciphertext), k.gcm.NonceSize()
	if len(sealed) < n {
		http.Error(w, "ciphertext is too short", http.StatusBadRequest)
		return
	}
	plain, err := k.gcm.Open(nil, sealed[:n], sealed[n:], fromBase64(req.AdditionalAuthenticatedData))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(cloudkms.DecryptResponse{
		Plaintext: base64.StdEncoding.EncodeToString(plain), PlaintextCrc32c: castagnoli(plain),
	})
}

// fromBase64 takes both alphabets, as the service does.
func fromBase64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(s))
	if err != nil {
		return nil
	}
	return b
}

func castagnoli(b []byte) int64 {
	return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func TestKMSIsOffThePlayPath(t *testing.T) {
	t.Parallel()
	kms, uri := startKMS(t), kmsScheme+kmsKey
	master, err := openKEK(t.Context(), uri, kms.options())
	if err != nil {
		t.Fatal(err)
	}
	text, err := newKeyset(master)
	if err != nil {
		t.Fatal(err)
	}

	kms.calls.Store(0)
	w, err := OpenKeyset(t.Context(), string(text), uri, kms.options()...)
	if err != nil {
		t.Fatal(err)
	}
	if n := kms.calls.Load(); n != 1 {
		t.Errorf("opening a keyset made %d calls, want 1", n)
	}
	for range 3 {
		key, wrapped, err := w.NewContentKey(nil, AES256CTR, binding())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.Unwrap(wrapped, binding()); err != nil || !bytes.Equal(got, key) {
			t.Fatalf("unwrapped to another key: %v", err)
		}
	}
	if n := kms.calls.Load(); n != 1 {
		t.Errorf("keys made %d calls, want 0", n-1)
	}
}

func TestKMSRefusalNamesTheKey(t *testing.T) {
	t.Parallel()
	kms, uri := startKMS(t), kmsScheme+kmsKey
	master, err := openKEK(t.Context(), uri, kms.options())
	if err != nil {
		t.Fatal(err)
	}
	text, err := newKeyset(master)
	if err != nil {
		t.Fatal(err)
	}
	kms.refuses.Store(true)
	_, err = OpenKeyset(t.Context(), string(text), uri, kms.options()...)
	if err == nil || !strings.Contains(err.Error(), kmsKey) {
		t.Errorf("refused: %v", err)
	}
}
