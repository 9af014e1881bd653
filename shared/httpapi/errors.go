package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/errs"
)

// The one table from an error's code to its HTTP status.
var statuses = map[errs.Code]int{
	errs.Invalid:          http.StatusBadRequest,
	errs.Unauthenticated:  http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.MethodNotAllowed: http.StatusMethodNotAllowed,
	errs.Conflict:         http.StatusConflict,
	errs.TooSlow:          http.StatusRequestTimeout,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.UnsupportedMedia: http.StatusUnsupportedMediaType,
	errs.TooManyRequests:  http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.Internal:         http.StatusInternalServerError,
}

// errorBody is the Web API's error object.
type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason,omitempty"`
}

// retryAfter is what a 503 says when its error does not say otherwise.
const retryAfter = 5 * time.Second

// classify turns an error into one that a client may see: a store that is away
// is 503, and whatever has no code is 500.
func classify(err error) *errs.Error {
	var known *errs.Error
	if errors.As(err, &known) {
		return known
	}
	code := status.Code(err)
	var connection *net.OpError
	var google *googleapi.Error // of the services that speak HTTP, such as Cloud Storage
	var request *url.Error      // of a request of ours that came to no answer
	away := code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted ||
		errors.Is(err, context.DeadlineExceeded) || errors.As(err, &connection) || (errors.As(err, &request) && request.Op != "parse") ||
		(errors.As(err, &google) && (google.Code >= http.StatusInternalServerError || google.Code == http.StatusTooManyRequests))
	if away {
		return errs.Wrap(err, errs.Unavailable, "a service that this needs is not available; try again")
	}
	return errs.From(err)
}

// WriteError answers with err in the Web API's form and logs the cause of what
// is our fault.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := classify(err)
	code, ok := statuses[e.Code]
	if !ok {
		code = http.StatusInternalServerError
	}
	switch {
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		// The client went away; what its request then ran into is no failure.
		slog.InfoContext(r.Context(), "request abandoned", "method", r.Method, "path", r.URL.Path)
	case code >= http.StatusInternalServerError:
		slog.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "status", code, "error", e.Error())
	}
	h := w.Header()
	switch e.Code {
	case errs.Unauthenticated:
		h.Set("WWW-Authenticate", `Bearer realm="segue"`)
	case errs.Unavailable, errs.TooManyRequests:
		wait := e.RetryAfter
		if wait == 0 {
			wait = retryAfter
		}
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	writeJSON(w, code, errorBody{errorObject{Status: code, Message: e.Message, Reason: e.Reason}})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		slog.Error("response cannot be written as JSON", "error", err)
		code, b = http.StatusInternalServerError, []byte(`{"error":{"status":500,"message":"something went wrong on our side"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client is gone: nobody is left to tell
}
