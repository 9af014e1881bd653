package httpapi

import (
	"context"
	"net/http"
)

type baseURLKey struct{}

func withBaseURL(ctx context.Context, u string) context.Context {
	return context.WithValue(ctx, baseURLKey{}, u)
}

// BaseURL is the scheme and host that the client asked, without a trailing
// slash: href and paging links are built on it.
func BaseURL(ctx context.Context) string {
	u, _ := ctx.Value(baseURLKey{}).(string)
	return u
}

// baseURL believes X-Forwarded-* only where our own load balancer sets them.
func baseURL(r *http.Request, trustForwarded bool) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if trustForwarded {
		if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
			scheme = p
		}
		if h := r.Header.Get("X-Forwarded-Host"); h != "" {
			host = h
		}
	}
	return scheme + "://" + host
}
