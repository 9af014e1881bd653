package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/client/clienttest"
	"github.com/segue-audio/segue/shared/ingest"
)

// Each fault comes once, between answers; none ends the following.
func TestFollowBearsFaults(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	faults := []func(http.ResponseWriter){
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { w.Header().Set("Retry-After", "77"); w.WriteHeader(503) },
		func(w http.ResponseWriter) { w.WriteHeader(502) },
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "9999")
			clienttest.Refuse(w, 429, "slowly", "")
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Date", date.Format(http.TimeFormat))
			w.Header().Set("Retry-After", date.Add(99*time.Second).Format(http.TimeFormat))
			w.WriteHeader(503)
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte("{"))
			panic(http.ErrAbortHandler)
		},
	}
	s := clienttest.New(t)
	// On a kept connection the transport itself would try some again.
	s.Client().Transport.(*http.Transport).DisableKeepAlives = true
	path, _ := noise(t, 10)
	x := transfer(t, s, path)
	target, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	s.Do(func() {
		s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			n := int(calls.Add(1))
			if n > len(faults) {
				return false
			}
			faults[n-1](w)
			return true
		}
	})
	var waits []time.Duration
	x.Client.Retrying = func(_ error, wait time.Duration) { waits = append(waits, wait) }
	var seen []ingest.Status
	st, err := x.Client.Follow(t.Context(), target.ID, time.Millisecond, func(s client.Status) { seen = append(seen, s.Status) })
	if err != nil || st.Status != ingest.Playable || !slices.Equal(seen, []ingest.Status{ingest.Waiting, ingest.Processing, ingest.Playable}) {
		t.Errorf("%+v, %v, saw %v", st, err, seen)
	}
	if len(waits) != len(faults) || waits[0] > time.Second || waits[1] != 77*time.Second || waits[3] != 5*time.Minute || waits[4] != 99*time.Second {
		t.Errorf("waited %v", waits)
	}
}

func TestFollowGivesUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ status, calls int }{
		"always away": {503, 8}, "forbidden": {403, 1}, "not there": {404, 1}, "signed out": {401, 1}, "not built": {501, 1},
	} {
		s := clienttest.New(t)
		s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			clienttest.Refuse(w, c.status, "no", "")
			return true
		}
		_, err := impatient(s).Follow(t.Context(), "x", time.Millisecond, func(client.Status) { t.Error("a status") })
		var e *client.Error
		if !errors.As(err, &e) || e.Status != c.status || s.Count("GET") != c.calls {
			t.Errorf("%s: %v after %d calls", name, err, s.Count("GET"))
		}
	}
}

func TestStalledConnection(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	path, content := noise(t, 3<<20)
	hung, over := map[string]bool{}, make(chan struct{})
	t.Cleanup(func() { close(over) })
	s.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		var first bool
		s.Do(func() { first = !hung[r.Method]; hung[r.Method] = true })
		if first {
			<-over // answers nothing
			panic(http.ErrAbortHandler)
		}
		return false
	}
	x := transfer(t, s, path)
	x.Client.Stall = 200 * time.Millisecond
	var said []string
	x.Client.Retrying = func(err error, _ time.Duration) { said = append(said, err.Error()) }
	target, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Client.Status(t.Context(), target.ID); err != nil {
		t.Fatal(err)
	}
	arrived(t, s, 1, content)
	if len(said) < 3 || slices.ContainsFunc(said[:1], func(s string) bool { return !strings.Contains(s, "stalled: nothing moved for 200ms") }) {
		t.Errorf("retried because of %q", said)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	s.Before = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
	c := impatient(s)
	c.Sleep = nil
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	c.Retrying = func(error, time.Duration) { cancel(enough) }
	if _, err := c.Status(ctx, "x"); !errors.Is(err, enough) {
		t.Error(err)
	}
}
