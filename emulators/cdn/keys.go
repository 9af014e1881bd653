package cdn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/segue-audio/segue/shared/playback"
)

// keyring is the backend's signing keys, which may change while it serves. A
// request is judged by the keys that there are when it comes.
type keyring struct {
	mu   sync.RWMutex
	keys map[string][]byte // never changed in place
}

var (
	errKeyTaken  = errors.New("there is a signing key of this name with another value: keys are not replaced")
	errKeysFull  = fmt.Errorf("the backend has %d signing keys, which is as many as it may have: delete one first", maxKeys)
	errKeyAbsent = errors.New("there is no signing key of this name")
	errLastKey   = errors.New("it is the only signing key: without one no URL could be signed")
)

func newKeyring(keys map[string][]byte) (*keyring, error) {
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("%d signing keys: a backend has 1 to %d", len(keys), maxKeys)
	}
	for name, key := range keys {
		if err := playback.CheckCDNKey(name, key); err != nil {
			return nil, err
		}
	}
	return &keyring{keys: maps.Clone(keys)}, nil
}

// all is a map that nobody changes.
func (k *keyring) all() map[string][]byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys
}

// add says whether the key is new.
func (k *keyring) add(name string, key []byte) (added bool, err error) {
	if err := playback.CheckCDNKey(name, key); err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.keys[name]; ok {
		if !bytes.Equal(old, key) {
			return false, errKeyTaken
		}
		return false, nil
	}
	if len(k.keys) == maxKeys {
		return false, errKeysFull
	}
	next := maps.Clone(k.keys)
	next[name] = bytes.Clone(key)
	k.keys = next
	return true, nil
}

func (k *keyring) remove(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.keys[name]; !ok {
		return errKeyAbsent
	}
	if len(k.keys) == 1 {
		return errLastKey
	}
	next := maps.Clone(k.keys)
	delete(next, name)
	k.keys = next
	return nil
}

// KeysPath is where Keys answers.
const KeysPath = "/_emulators/cdn/keys"

// Keys is what gcloud's add-signed-url-key and delete-signed-url-key do to a
// backend bucket, and its description, which shows names alone:
//
//	GET    /_emulators/cdn/keys         {"keys": ["segue-1"]}
//	PUT    /_emulators/cdn/keys/{name}  the key, as in gcloud's --key-file: 201, or 200 if it is there
//	DELETE /_emulators/cdn/keys/{name}  204
//
// 400 is for what is no key, 404 for a name that is not there, 409 for a fourth
// key, another key of the same name, and the last key. The service lets the last
// one go, and signs nothing then.
func (c *CDN) Keys() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+KeysPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// A failure is the caller hanging up.
		_ = json.NewEncoder(w).Encode(map[string][]string{"keys": slices.Sorted(maps.Keys(c.keys.all()))})
	})
	mux.HandleFunc("PUT "+KeysPath+"/{name}", c.putKey)
	mux.HandleFunc("DELETE "+KeysPath+"/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.answerKey(w, r, http.StatusNoContent, c.keys.remove(r.PathValue("name")))
	})
	return mux
}

// maxKeyText is more than any key takes in base64.
const maxKeyText = 1024

func (c *CDN) putKey(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKeyText))
	if err != nil {
		answer(w, http.StatusBadRequest, "read the key: "+err.Error())
		return
	}
	key, err := base64.URLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		// Its error would show a part of the key.
		answer(w, http.StatusBadRequest, "the key is not base64url")
		return
	}
	status := http.StatusOK
	added, err := c.keys.add(r.PathValue("name"), key)
	if added {
		status = http.StatusCreated
	}
	c.answerKey(w, r, status, err)
}

func (c *CDN) answerKey(w http.ResponseWriter, r *http.Request, status int, err error) {
	switch {
	case err == nil:
		c.log.Printf("signing key %s: %s", r.PathValue("name"), r.Method)
		w.WriteHeader(status)
	case errors.Is(err, errKeyAbsent):
		answer(w, http.StatusNotFound, err.Error())
	case errors.Is(err, errKeyTaken), errors.Is(err, errKeysFull), errors.Is(err, errLastKey):
		answer(w, http.StatusConflict, err.Error())
	default:
		answer(w, http.StatusBadRequest, err.Error())
	}
}
