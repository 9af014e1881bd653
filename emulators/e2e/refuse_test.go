package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

const nobody = "0000000000000000000000"

func TestErrorsHaveTheWebAPIsForm(t *testing.T) {
	t.Parallel()
	track := playable(t, fixture(t, "2.1"), "a.flac", "audio/flac", ingest.Metadata{})
	free := segue.env(t)["SEGUE_TOKEN_FREE"]
	for _, test := range []struct {
		name, token, method, path string
		status                    int
		reason                    string
	}{
		{"unknown track", free, "GET", "/v1/tracks/" + nobody, 404, ""},
		{"no id at all", free, "GET", "/v1/tracks/nonsense", 404, ""},
		{"stream of an unknown track", free, "GET", "/v1/tracks/" + nobody + "/stream", 404, ""},
		{"no token", "", "GET", "/v1/tracks/" + track, 401, ""},
		{"garbage for a token", "x.y.z", "GET", "/v1/tracks/" + track, 401, ""},
		{"missing scope", free, "GET", "/v1/uploads/" + nobody, 403, "insufficient_scope"},
		{"bad quality", free, "GET", "/v1/tracks/" + track + "/stream?quality=128", 400, ""},
		{"bad format", free, "GET", "/v1/tracks/" + track + "/stream?format=mp3", 400, ""},
		{"bad context", free, "GET", "/v1/tracks/" + track + "/stream?context=album", 400, ""},
		{"free at 320", free, "GET", "/v1/tracks/" + track + "/stream?quality=320", 403, "premium_required"},
		{"unknown route", free, "GET", "/v1/nothing", 404, ""},
		{"wrong method", free, "DELETE", "/v1/tracks/" + track, 405, ""},
		{"trailing slash", free, "GET", "/v1/tracks/" + track + "/", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := client.Client{BaseURL: segue.url, HTTP: http.DefaultClient, Token: func() (string, error) { return test.token, nil }}
			if test.token == "" {
				resp, body := fetch(t, test.method, segue.url+test.path, nil)
				if resp.status != test.status || !strings.HasPrefix(string(body), `{"error":{"status":401,"message":"`) {
					t.Errorf("answer %d: %s", resp.status, body)
				}
				return
			}
			err := c.Call(t.Context(), test.method, test.path, nil, nil)
			if test.status == http.StatusOK {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if code, reason := status(err); code != test.status || reason != test.reason {
				t.Errorf("answer %d, reason %q (%v); want %d, %q", code, reason, err, test.status, test.reason)
			}
		})
	}
}

func TestTokensOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(segue.data, "keys")
	env := segue.env(t)
	for name, test := range map[string]struct {
		options identity.Options
		want    int
	}{
		"ours":             {identity.Options{Dir: keys, Issuer: env["SEGUE_TOKEN_ISSUER"], Audience: env["SEGUE_TOKEN_AUDIENCE"]}, 404},
		"another issuer":   {identity.Options{Dir: keys, Issuer: "https://elsewhere.example", Audience: env["SEGUE_TOKEN_AUDIENCE"]}, 401},
		"another audience": {identity.Options{Dir: keys, Issuer: env["SEGUE_TOKEN_ISSUER"], Audience: "https://elsewhere.example"}, 401},
		"another key":      {identity.Options{Dir: t.TempDir(), Issuer: env["SEGUE_TOKEN_ISSUER"], Audience: env["SEGUE_TOKEN_AUDIENCE"]}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Now = time.Now
			issuer, err := identity.New(test.options)
			if err != nil {
				t.Fatal(err)
			}
			c := client.Client{BaseURL: segue.url, HTTP: http.DefaultClient, Token: func() (string, error) {
				return issuer.AccessToken(identity.Claims{Subject: "somebody", ClientID: "c"})
			}}
			if code, _ := status(c.Call(t.Context(), http.MethodGet, "/v1/tracks/"+nobody, nil, nil)); code != test.want {
				t.Errorf("answer %d, want %d", code, test.want)
			}
		})
	}
}

// Every request here asks for a rendition that exists, and gets no byte of it.
func TestNoByteWithoutTheRightSignature(t *testing.T) {
	t.Parallel()
	track := playable(t, fixture(t, "2.3"), "a.flac", "audio/flac", ingest.Metadata{})
	s, other := streamOf(t, "FREE", track, "?quality=96"), streamOf(t, "FREE", track, "?quality=160")
	ciphertext, _ := s.open(t)
	env := segue.env(t)
	key, err := os.ReadFile(filepath.Join(segue.data, "keys", "cdn-"+env["SEGUE_CDN_KEY_NAME"]))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := playback.NewCloudCDN(env["SEGUE_CDN_URL"], env["SEGUE_CDN_KEY_NAME"], string(key))
	if err != nil {
		t.Fatal(err)
	}
	bare, query, _ := strings.Cut(s.URL, "?")
	_, otherQuery, _ := strings.Cut(other.URL, "?")
	object := strings.TrimPrefix(bare, env["SEGUE_CDN_URL"]+"/")
	expired, err := signer.Sign(t.Context(), strings.TrimSuffix(object, "data"), time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := fetch(t, http.MethodGet, s.URL, nil); resp.status != http.StatusOK || len(body) != len(ciphertext) {
		t.Fatalf("the right URL answers %d", resp.status)
	}
	storage := env["SEGUE_STORAGE_URL"]
	for name, u := range map[string]string{
		"no signature":             bare,
		"changed path":             strings.Replace(s.URL, "/data?", "/../"+strings.Split(other.URL, "/")[4]+"/data?", 1),
		"expired":                  expired.Data,
		"a later expiry":           strings.Replace(s.URL, "Expires=", "Expires=9", 1),
		"another folder's":         bare + "?" + otherQuery,
		"doubled parameters":       s.URL + "&" + query,
		"one parameter doubled":    s.URL + "&KeyName=" + env["SEGUE_CDN_KEY_NAME"],
		"an unknown key":           strings.Replace(s.URL, "KeyName=", "KeyName=x", 1),
		"the bucket":               storage + "/" + env["SEGUE_AUDIO_BUCKET"] + "/" + object,
		"the bucket, CDN's query":  storage + "/" + env["SEGUE_AUDIO_BUCKET"] + "/" + object + "?" + query,
		"the bucket's API":         storage + "/storage/v1/b/" + env["SEGUE_AUDIO_BUCKET"] + "/o/" + url.PathEscape(object) + "?alt=media",
		"the bucket's download":    storage + "/download/storage/v1/b/" + env["SEGUE_AUDIO_BUCKET"] + "/o/" + url.PathEscape(object) + "?alt=media",
		"the bucket's list":        storage + "/storage/v1/b/" + env["SEGUE_AUDIO_BUCKET"] + "/o",
		"the CDN, bucket in front": env["SEGUE_CDN_URL"] + "/" + env["SEGUE_AUDIO_BUCKET"] + "/" + object + "?" + query,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, header := range []http.Header{nil, {"Range": {"bytes=0-9"}}} {
				resp, body := fetch(t, http.MethodGet, u, header)
				if resp.status < 400 || strings.Contains(string(body), string(ciphertext[:10])) {
					t.Errorf("answer %d with %d bytes", resp.status, len(body))
				}
			}
		})
	}
}
