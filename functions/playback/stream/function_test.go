package stream

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/registry"
)

// fetch reads a URL as a player does: with no credentials.
func fetch(t *testing.T, u, byteRange string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// Not parallel: a function finds its stores through the environment.
func TestFunctionWithoutCDN(t *testing.T) {
	w, bucket := newWorld(t), emutest.Bucket(t)
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.test", Audience: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	jwks := httptest.NewServer(issuer.JWKS())
	t.Cleanup(jwks.Close)
	for k, v := range map[string]string{
		"SEGUE_PROJECT": "p", "SEGUE_SPANNER_DATABASE": w.client.DatabaseName(), "SEGUE_TOKEN_ISSUER": "https://accounts.test",
		"SEGUE_TOKEN_AUDIENCE": "https://api.test", "SEGUE_JWKS_URL": jwks.URL, "SEGUE_AUDIO_BUCKET": bucket.BucketName(),
		"SEGUE_REDIS_URL": os.Getenv("SEGUE_REDIS_URL"), "SEGUE_KEYSET": w.keys.Keyset, "SEGUE_KEYSET_KEK": w.keys.KEK,
	} {
		t.Setenv(k, v)
	}
	s := w.add(t, 1, nil)
	data := upload(t, bucket, s.live[playback.Rendition{Format: playback.AAC, Bitrate: 96}].Folder)
	get := func(query string, want int, scopes ...string) map[string]any {
		t.Helper()
		token, err := issuer.AccessToken(identity.Claims{Subject: "u", ClientID: "c", Scopes: scopes, Product: "free", Market: "SE"})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/tracks/"+s.track+"/stream"+query, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		registry.All()[0].HTTP(rec, r)
		var o map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &o); rec.Code != want || err != nil {
			t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
		}
		if want == http.StatusOK && rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control: %s", query, rec.Header().Get("Cache-Control"))
		}
		return o
	}
	get("", http.StatusForbidden, "catalog-write")
	get("?format=mp3", http.StatusBadRequest, "streaming")
	get("?offset=one", http.StatusBadRequest, "streaming")
	get("?quality=320", http.StatusForbidden, "streaming")
	o := get("?format=aac&quality=96&offset=0", http.StatusOK, "streaming")
	for _, null := range []string{"gain_db", "peak", "seek_url", "next"} {
		if v, there := o[null]; v != nil || !there {
			t.Errorf("%s is %v", null, v)
		}
	}
	u, _ := o["url"].(string)
	if code, b := fetch(t, u, ""); code != http.StatusOK || !bytes.Equal(b, data) {
		t.Errorf("the audio: %d, %d bytes", code, len(b))
	}
	if code, b := fetch(t, u, "bytes=16-31"); code != http.StatusPartialContent || !bytes.Equal(b, data[16:32]) {
		t.Errorf("a part of the audio: %d, %q", code, b)
	}
	hashes, _ := o["hashes_url"].(string)
	if code, b := fetch(t, hashes, ""); code != http.StatusOK || !bytes.Equal(b, data[:32]) {
		t.Errorf("the hashes: %d, %d bytes", code, len(b))
	}
	bare, _, _ := strings.Cut(u, "?")
	if code, _ := fetch(t, bare, ""); code != http.StatusForbidden {
		t.Errorf("without the signature: %d", code)
	}
}

func TestSigners(t *testing.T) {
	t.Parallel()
	emutest.Start(t)
	local := signerConfig(t)
	const cdnKey = "MDEyMzQ1Njc4OWFiY2RlZg=="
	for name, c := range map[string]struct {
		config Config
		want   string // of the URL, or of the error
		fails  bool
	}{
		"a CDN": {config: Config{CDNURL: "https://cdn.test", CDNKeyName: "k", CDNKey: cdnKey}, want: "https://cdn.test/audio/x/data?URLPrefix="},
		"local": {config: Config{SignerConfig: local, AudioBucket: "b"}, want: local.StorageURL + "/b/audio/x/data?X-Goog-Algorithm="},
		"elsewhere": {
			config: Config{SignerConfig: gcp.SignerConfig{StorageURL: "https://storage.test", Email: local.Email, Key: local.Key}, AudioBucket: "b"},
			want:   "https://storage.test/b/audio/x/data?X-Goog-Algorithm=",
		},
		"a CDN without its key":  {config: Config{CDNURL: "https://cdn.test", CDNKeyName: "k"}, want: "key", fails: true},
		"no storage":             {config: Config{SignerConfig: gcp.SignerConfig{StorageURL: "nowhere"}}, want: "SEGUE_STORAGE_URL", fails: true},
		"what is no private key": {config: Config{SignerConfig: gcp.SignerConfig{Email: "e", Key: "k"}, AudioBucket: "b"}, want: "PEM", fails: true},
	} {
		got, err := func() (string, error) {
			s, err := c.config.signer()
			if err != nil {
				return "", err
			}
			urls, err := s.Sign(t.Context(), "audio/x/", soon())
			return urls.Data, err
		}()
		if c.fails != (err != nil) || (err == nil && !strings.HasPrefix(got, c.want)) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
