// Package httpapi turns functions into HTTP operations: one adapter decodes a
// request, verifies its token, calls a plain function and writes what it
// returns; one table maps errors to statuses. No logic of any domain is here.
package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/limit"
)

// Route is one operation.
type Route struct {
	Method, Path string
	// Scope that the token must carry; "" asks for a valid token only.
	Scope  string
	handle func(w http.ResponseWriter, r *http.Request) error

	class        limit.Class
	limitsItself bool
}

// LimitedAs makes the route's operation check the rate limit itself, by
// limit.Of, with what else it asks Redis; in a class of its own.
func (r Route) LimitedAs(c limit.Class) Route {
	r.class, r.limitsItself = c, true
	return r
}

// answerWithin is what an operation has for its answer, and with it every store
// that it asks: one that is away is tried again and again till then, and the
// client, told 503 within two seconds, knows when to come back.
const answerWithin = 1800 * time.Millisecond

// Logic is an operation without HTTP: what a handler is in Segue.
type Logic[Req, Resp, Deps any] func(context.Context, Req, Deps) (Resp, error)

// Handle makes a Route of an operation such as "GET /v1/tracks/{id}". Deps are
// built by the first request that needs them.
func Handle[Req, Resp, Deps any](operation, scope string, deps func() (Deps, error), logic Logic[Req, Resp, Deps]) Route {
	method, path, ok := strings.Cut(operation, " ")
	if !ok {
		panic(fmt.Sprintf("operation %q is not of the form METHOD /path", operation))
	}
	success, class := http.StatusOK, limit.Write
	switch method {
	case http.MethodPost:
		success = http.StatusCreated
	case http.MethodGet:
		class = limit.Read
	}
	return Route{Method: method, Path: path, Scope: scope, class: class, handle: func(w http.ResponseWriter, r *http.Request) error {
		// A value of its own for each request: nothing leaks into the next.
		var req Req
		if err := decode(r, &req); err != nil {
			return err
		}
		d, err := deps()
		if err != nil {
			return notReady(err)
		}
		// From here on, so that a client that sends slowly loses none of it.
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		resp, err := logic(ctx, req, d)
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
