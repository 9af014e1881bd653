package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/segue-audio/segue/shared/registry"
)

const requestPlays = 2000

// handled is what one request costs in this process, Redis's client included,
// without a network to the caller.
type handled struct{ allocs, bytes, micros float64 }

// requestRows are of the function's handler as it is registered: token, limit,
// logic, JSON and the line in the log.
func requestRows(w *world) []row {
	runs := &repetitions[handled]{run: func(ctx context.Context, _ int) (handled, error) { return w.handled(ctx, requestPlays) }}
	figure := func(name, unit string, value func(handled) float64) row {
		return row{
			name: "playback." + name, unit: unit, how: "a warm GET /stream through the whole adapter, without a network to the caller",
			measure: func(ctx context.Context, k int) (sample, error) {
				h, err := runs.get(ctx, k)
				return sample{value: value(h)}, err
			},
		}
	}
	return []row{
		figure("request-allocs", "1/op", func(h handled) float64 { return h.allocs }),
		figure("request-bytes", "kB/op", func(h handled) float64 { return h.bytes / 1e3 }),
		figure("request-time", "µs", func(h handled) float64 { return h.micros }),
	}
}

// The handler of this process reads its environment once: that of the world, with
// limits that one caller does not reach.
func (w *world) handled(ctx context.Context, plays int) (h handled, err error) {
	tracks, err := w.songs(ctx, 1)
	if err != nil {
		return h, err
	}
	users, err := w.tokens(1)
	if err != nil {
		return h, err
	}
	for k, v := range unlimited {
		if err := os.Setenv(k, v); err != nil {
			return h, err
		}
	}
	handler, err := handlerOf(playFunction)
	if err != nil {
		return h, err
	}
	r := (&http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "api.segue.bench", Body: http.NoBody, RemoteAddr: "127.0.0.1:1",
		URL: &url.URL{Path: "/v1/tracks/" + tracks[0] + "/stream"}, Header: http.Header{"Authorization": {"Bearer " + users[0]}},
	}).WithContext(ctx)
	play := func() error {
		rec := httptest.NewRecorder()
		handler(rec, r)
		return played(rec.Code, rec.Body.Bytes(), nil)
	}
	for range plays / 10 {
		if err := play(); err != nil {
			return h, err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range plays {
		if err := play(); err != nil {
			return h, err
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(plays)
	return handled{float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n, float64(took.Microseconds()) / n}, nil
}

func handlerOf(function string) (http.HandlerFunc, error) {
	for _, f := range registry.All() {
		if f.Name == function && f.HTTP != nil {
			return f.HTTP, nil
		}
	}
	return nil, fmt.Errorf("this build links no %s", function)
}
