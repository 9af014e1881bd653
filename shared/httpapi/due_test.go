package httpapi

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// A job is told when it was due; where its caller does not say, it is now.
func TestJobIsToldWhenItWasDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	due := make(chan time.Time, 1)
	url := job(t, func() (int, error) { return 0, nil }, func(ctx context.Context, _ int) (map[string]int, error) {
		due <- DueAt(ctx, func() time.Time { return now })
		return nil, nil
	})
	for header, want := range map[string]time.Time{
		"":                              now,
		"2030-01-02T03:04:05Z":          time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		"2030-01-02T03:04:05.25+01:00":  time.Date(2030, 1, 2, 2, 4, 5, 25e7, time.UTC),
		"Tue, 24 Nov 2026 03:17:00 GMT": now,
		"0":                             now,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("X-CloudScheduler-ScheduleTime", header)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := <-due; !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: due at %v, want %v", header, got, want)
		}
	}
}
