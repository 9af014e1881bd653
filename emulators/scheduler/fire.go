package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What of a function's answer is kept.
const maxAnswer = 64 << 10

// ErrUnknownJob is Fire's for a job that the manifest does not have.
var ErrUnknownJob = errors.New("unknown job")

// Fire runs a job now and returns the function's answer. A run that is under
// way is waited for, so that the answer is that of a run which began after the
// call, and there are never two at once.
func (s *Scheduler) Fire(ctx context.Context, name string) (status int, body []byte, err error) {
	return s.FireAt(ctx, name, s.options.Now())
}

// FireAt is Fire as if the job had been due at a time: that is what the function
// is told, which can so be seen to do what it does on another day.
func (s *Scheduler) FireAt(ctx context.Context, name string, due time.Time) (status int, body []byte, err error) {
	scheduled := due.UTC()
	j, known := s.jobs[name]
	if !known {
		return 0, nil, fmt.Errorf("%w %q: the manifest has %s", ErrUnknownJob, name, strings.Join(s.names(), ", "))
	}
	select {
	case j.running <- struct{}{}:
		defer func() { <-j.running }()
	case <-ctx.Done():
		return 0, nil, fmt.Errorf("job %s: the run before did not end: %w", name, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	status, body, err = s.post(ctx, name, scheduled)
	if err != nil {
		return 0, nil, fmt.Errorf("job %s: %w", name, err)
	}
	return status, body, nil
}

func (s *Scheduler) post(ctx context.Context, name string, scheduled time.Time) (int, []byte, error) {
	base := strings.TrimSuffix(s.options.FunctionURL(name), "/")
	token, err := s.options.Token(base)
	if err != nil {
		return 0, nil, fmt.Errorf("token for %s: %w", base, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base, strings.NewReader("{}"))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Google-Cloud-Scheduler")
	req.Header.Set("X-CloudScheduler", "true")
	req.Header.Set("X-CloudScheduler-JobName", name)
	req.Header.Set("X-CloudScheduler-ScheduleTime", scheduled.Format(time.RFC3339))
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, fmt.Errorf("post to %s: %w", base, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("answer of %s: %w", base, err)
	}
	return resp.StatusCode, body, nil
}

// run is a firing by the clock: what goes wrong is said in the log.
func (s *Scheduler) run(ctx context.Context, name string) {
	status, body, err := s.Fire(ctx, name)
	switch {
	case err != nil:
		s.log.Print(err)
	case !succeeded(status):
		s.log.Printf("job %s: %d %s", name, status, strings.TrimSpace(string(body)))
	}
}

func succeeded(status int) bool { return status >= 200 && status < 300 }
