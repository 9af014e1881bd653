package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/errs"
)

// The time of one request is not that of the next on its connection, which may
// be one that has no limit, such as an event's.
func TestTimeEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Millisecond
	mux := http.NewServeMux()
	mux.Handle("POST /limited", within(func() time.Duration { return limit }, "test-limited", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})))
	mux.HandleFunc("POST /unlimited", func(w http.ResponseWriter, r *http.Request) {
		<-time.After(2 * limit)
		WriteError(w, r, errs.New(errs.Conflict, "after a while"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	one := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(one.CloseIdleConnections)
	for _, c := range []struct {
		path string
		want int
	}{{"/limited", http.StatusOK}, {"/unlimited", http.StatusConflict}, {"/limited", http.StatusOK}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := one.Do(r)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || resp.StatusCode != c.want {
			t.Errorf("%s: %d, %v, %v", c.path, resp.StatusCode, err, cerr)
		}
	}
}
