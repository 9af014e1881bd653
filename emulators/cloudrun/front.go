package cloudrun

import (
	"context"
	"net/http"
	"strings"

	"github.com/segue-audio/segue/functions"
)

// handler is what a request to a function's URL meets first.
func (h *Host) handler() http.Handler {
	proxy := h.proxy()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		f, ok := h.options.Manifest.Function(name)
		if !ok || (h.options.Target != "" && h.options.Target != name) {
			http.Error(w, "no such function", http.StatusNotFound)
			return
		}
		// HTTP functions are open to all: their own code checks users' tokens.
		// The others are called by services, which IAM lets in by their OIDC
		// token for this very function.
		if f.Kind != functions.HTTP {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || h.options.Verify(token, h.URL(name)) != nil {
				http.Error(w, "the caller may not invoke "+name, http.StatusForbidden)
				return
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), f.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
		if r.URL.Path == "/"+name {
			r.URL.Path += "/" // the function's own root
		}
		h.serverOf(name, proxy).ServeHTTP(w, r)
	})
}
