package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Handler answers POST /_emulators/schedule/{job}, which runs the job now: 200
// with {"job", "status"} when the function succeeded; 502 with the same when it
// did not; 504 when it took too long. ?at=TIME, of RFC 3339, tells the function
// that it was due then.
func (s *Scheduler) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("POST /_emulators/schedule/{job}", s.fireNow)
	return mux
}

type outcome struct {
	Job    string `json:"job"`
	Status int    `json:"status,omitempty"` // the function's
	Error  string `json:"error,omitempty"`
	// Answer is the function's, if that is JSON and it succeeded.
	Answer json.RawMessage `json:"answer,omitempty"`
}

func (s *Scheduler) fireNow(w http.ResponseWriter, r *http.Request) {
	o := outcome{Job: r.PathValue("job")}
	due, err := s.due(r)
	if err != nil {
		o.Error = err.Error()
		answer(w, http.StatusBadRequest, o)
		return
	}
	status, body, err := s.FireAt(r.Context(), o.Job, due)
	o.Status = status
	code := http.StatusBadGateway
	switch {
	case errors.Is(err, ErrUnknownJob):
		code, o.Error = http.StatusNotFound, err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		code, o.Error = http.StatusGatewayTimeout, err.Error()
	case err != nil:
		o.Error = err.Error()
	case succeeded(status):
		code = http.StatusOK
		if json.Valid(body) {
			o.Answer = body
		}
	default:
		o.Error = strings.TrimSpace(string(body))
	}
	answer(w, code, o)
}

// due is the time that a request names, or now.
func (s *Scheduler) due(r *http.Request) (time.Time, error) {
	at := r.URL.Query()["at"]
	switch len(at) {
	case 0:
		return s.options.Now(), nil
	case 1:
		due, err := time.Parse(time.RFC3339, at[0])
		if err != nil {
			return due, fmt.Errorf("at=%q is no time such as 2026-11-24T03:17:00Z", at[0])
		}
		return due, nil
	}
	return time.Time{}, errors.New("at is given twice")
}

func answer(w http.ResponseWriter, code int, o outcome) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A failure here is the caller hanging up.
	_ = json.NewEncoder(w).Encode(o)
}
