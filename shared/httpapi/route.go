// Package httpapi turns functions into HTTP operations: one adapter decodes a
// request, verifies its token, calls a plain function and writes what it
// returns; one table maps errors to statuses. No logic of any domain is here.
package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Route is one operation.
type Route struct {
	Method, Path string
	// Scope that the token must carry; "" asks for a valid token only.
	Scope  string
	handle func(w http.ResponseWriter, r *http.Request) error
}

// Logic is an operation without HTTP: what a handler is in Segue.
type Logic[Req, Resp, Deps any] func(context.Context, Req, Deps) (Resp, error)

// Handle makes a Route of an operation such as "GET /v1/tracks/{id}". Deps are
// built by the first request that needs them.
func Handle[Req, Resp, Deps any](operation, scope string, deps func() (Deps, error), logic Logic[Req, Resp, Deps]) Route {
	method, path, ok := strings.Cut(operation, " ")
	if !ok {
		panic(fmt.Sprintf("operation %q is not of the form METHOD /path", operation))
	}
	success := http.StatusOK
	if method == http.MethodPost {
		success = http.StatusCreated
	}
	return Route{Method: method, Path: path, Scope: scope, handle: func(w http.ResponseWriter, r *http.Request) error {
		// A value of its own for each request: nothing leaks into the next.
		var req Req
		if err := decode(r, &req); err != nil {
			return err
		}
		d, err := deps()
		if err != nil {
			return notReady(err)
		}
		resp, err := logic(r.Context(), req, d)
		if err != nil {
			return err
		}
		code := success
		if s, ok := any(resp).(interface{ StatusCode() int }); ok {
			code = s.StatusCode()
		}
		if s, ok := any(resp).(interface{ Headers(http.Header) }); ok {
			s.Headers(w.Header())
		}
		writeJSON(w, code, resp)
		return nil
	}}
}
