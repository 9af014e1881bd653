package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/segue-audio/segue/emulators/part"
)

var _ part.Part = (*Issuer)(nil)

// JWKS serves the public keys of access tokens, and of these alone.
func (i *Issuer) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		// A failure here is the caller hanging up.
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.access.public()}})
	})
}

// Name is the part's name.
func (i *Issuer) Name() string { return "identity" }

// Start serves the keys at /.well-known/jwks.json.
func (i *Issuer) Start(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /.well-known/jwks.json", i.JWKS())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server, err := part.StartServer(ctx, i.Name(), i.options.Port, mux)
	if err != nil {
		return err
	}
	i.server = server
	return nil
}

// URL is the server's base URL once it has started.
func (i *Issuer) URL() string { return i.server.URL() }

// Health asks the server over HTTP.
func (i *Issuer) Health(ctx context.Context) error {
	if i.server == nil {
		return fmt.Errorf("%s has not started", i.Name())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name(), err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: health is %s", i.Name(), resp.Status)
	}
	return nil
}

// Stop ends the server.
func (i *Issuer) Stop(ctx context.Context) error {
	if i.server == nil {
		return nil
	}
	return i.server.Stop(ctx)
}

// Failed delivers an error when the started server ends by itself.
func (i *Issuer) Failed() <-chan error {
	if i.server == nil {
		return nil
	}
	return i.server.Failed()
}
