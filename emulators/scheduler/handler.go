package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Handler answers POST /_emulators/schedule/{job}, which runs the job now: 200
// with {"job", "status"} when the function succeeded; 502 with the same when it
// did not; 504 when it took too long.
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
}

func (s *Scheduler) fireNow(w http.ResponseWriter, r *http.Request) {
	o := outcome{Job: r.PathValue("job")}
	status, body, err := s.Fire(r.Context(), o.Job)
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
	default:
		o.Error = strings.TrimSpace(string(body))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A failure here is the caller hanging up.
	_ = json.NewEncoder(w).Encode(o)
}
