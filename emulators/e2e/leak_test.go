package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/segue-audio/segue/emulators/emutest/leak"
)

// secrets are what no log of a harness may hold: its keys and tokens, and what
// it handed out to these tests.
var secrets leak.Secrets

// harnesses are all that these tests started.
var harnesses struct {
	mu  sync.Mutex
	all []*running
}

// know remembers a harness's secrets: what is in its files, by the names of
// those in env that are none.
func (r *running) know() error {
	harnesses.mu.Lock()
	harnesses.all = append(harnesses.all, r)
	harnesses.mu.Unlock()
	return errors.Join(r.knowEnv(), r.knowKeys())
}

func (r *running) knowEnv() error {
	b, err := os.ReadFile(filepath.Join(r.data, "env"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		value = strings.Trim(value, "'")
		for _, word := range []string{"TOKEN_FREE", "TOKEN_PREMIUM", "TOKEN_LABEL", "BEARER", "CDN_KEY", "KEYSET", "SECRET", "PASSWORD"} {
			if strings.HasSuffix(name, word) && !strings.Contains(value, "://") {
				secrets.Add(name, value)
			}
		}
	}
	return nil
}

var keyText = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}`)

// knowKeys reads the folder of keys, which are texts, PEM or bytes.
func (r *running) knowKeys() error {
	dir := filepath.Join(r.data, "keys")
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name := "key " + filepath.Base(path)
		secrets.AddKey(name, b)
		for _, value := range keyText.FindAllString(string(b), -1) {
			secrets.Add(name, value)
		}
		return err
	})
}

// noLeaks reads the whole log of every harness.
func noLeaks() error {
	harnesses.mu.Lock()
	defer harnesses.mu.Unlock()
	var all []error
	for _, r := range harnesses.all {
		// Keys may have been exchanged; those of a harness of one test are gone.
		if err := r.knowKeys(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
		f, err := os.Open(r.logFile)
		if err == nil {
			err = errors.Join(secrets.Scan(f), f.Close())
		}
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", filepath.Base(r.logFile), err))
		}
	}
	return errors.Join(all...)
}

// listener remembers the secrets among the answers that these tests get.
type listener struct{ http.RoundTripper }

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	remember(body)
	closer := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), closer}
	return resp, nil
}

func remember(body []byte) {
	var given struct {
		URL     string `json:"url"`
		Hashes  string `json:"hashes_url"`
		Seek    string `json:"seek_url"`
		Uploads string `json:"upload_url"`
		Key     struct {
			Value string `json:"value"`
		} `json:"key"`
	}
	if json.Unmarshal(body, &given) != nil {
		return
	}
	for name, u := range map[string]string{"signed URL": given.URL, "URL of hashes": given.Hashes, "URL of the seek table": given.Seek, "URL of an upload": given.Uploads} {
		secrets.AddURL(name, u)
	}
	if key, err := base64.RawURLEncoding.DecodeString(given.Key.Value); err == nil {
		secrets.AddKey("content key", key)
	}
}
