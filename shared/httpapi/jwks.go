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

	fetching sync.Mutex // held by the one request that fetches

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
	if err := s.refresh(ctx, kid); err != nil {
		return jose.JSONWebKey{}, err
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
	s.fetching.Lock()
	defer s.fetching.Unlock()
	if _, ok := s.fresh(kid); ok || s.now().Sub(s.tried) < keysPause {
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
		// tried stays: this request may have been cancelled, the next one tries.
		return errs.Wrap(err, errs.Unavailable, "the keys that verify access tokens cannot be fetched; try again")
	}
	s.tried = s.now()
	return nil
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
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&set); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", s.url, err)
	}
	keys := map[string]jose.JSONWebKey{}
	for _, k := range set.Keys {
		if k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") {
			keys[k.KeyID] = k
		}
	}
	return keys, nil
}
