package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/segue-audio/segue/shared/errs"
)

const (
	// keysFresh is how long a fetched key set is believed.
	keysFresh = time.Hour
	// keysPause is the least time between two fetches, so that tokens with
	// invented key ids cannot make us hammer the issuer.
	keysPause = 10 * time.Second
)

// keySet is the issuer's public keys, fetched when needed and kept. When the
// issuer is away, known keys stay good: a token must not fail for that.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	// One fetch at a time, which serves all requests that wait for it: an issuer
	// that hangs must not make them wait one after the other.
	fetching singleflight.Group

	mu      sync.Mutex
	keys    map[string]jose.JSONWebKey
	fetched time.Time // last success
	tried   time.Time // last attempt
}

// key finds a key by id. Absent keys are Unauthenticated, an issuer that was
// never reached is Unavailable.
func (s *keySet) key(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	if k, ok := s.fresh(kid); ok {
		return k, nil
	}
	// The fetch outlives a client that goes away: others wait for it too.
	done := s.fetching.DoChan("", func() (any, error) { return nil, s.refresh(context.WithoutCancel(ctx), kid) })
	select {
	case r := <-done:
		if r.Err != nil {
			return jose.JSONWebKey{}, r.Err
		}
	case <-ctx.Done():
		return jose.JSONWebKey{}, noKeys(ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, known := s.keys[kid]
	if !known {
		return k, errs.New(errs.Unauthenticated, "invalid access token: it is signed with an unknown key")
	}
	return k, nil
}

func (s *keySet) fresh(kid string) (jose.JSONWebKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, known := s.keys[kid]
	return k, known && s.now().Sub(s.fetched) < keysFresh
}

// refresh fetches the keys, unless another request just did.
func (s *keySet) refresh(ctx context.Context, kid string) error {
	if _, ok := s.fresh(kid); ok || s.justTried() {
		return nil
	}
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.fetched, s.tried = keys, s.now(), s.now()
		return nil
	}
	if s.keys == nil {
		// tried stays: nobody can be let in before the first success, so each
		// request tries.
		return noKeys(err)
	}
	s.tried = s.now()
	return nil
}

func (s *keySet) justTried() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.tried) < keysPause
}

func noKeys(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "the keys that verify access tokens cannot be fetched; try again")
}

func (s *keySet) fetch(ctx context.Context) (map[string]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: %s", s.url, resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&set); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	}
	keys := map[string]jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		// A key of a type that we do not know must not cost us the others:
		// https://www.rfc-editor.org/rfc/rfc7517#section-5
		if err := json.Unmarshal(raw, &k); err == nil && k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") {
			keys[k.KeyID] = k
		}
	}
	// Believing it would refuse every user for as long as it is fresh.
	if len(keys) == 0 {
		return nil, fmt.Errorf("fetch %s: no usable key in it", s.url)
	}
	return keys, nil
}
