package cdn

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestServesRanges(t *testing.T) {
	t.Parallel()
	b := start(t)
	data := b.sign(t, folder).Data
	whole := b.origin.objects[folder+"data"]
	for name, c := range map[string]struct {
		header     []string
		status     int
		body       string
		rangeField string
	}{
		"all":              {nil, 200, whole, ""},
		"the first bytes":  {[]string{"Range", "bytes=0-99"}, 206, whole[:100], fmt.Sprintf("bytes 0-99/%d", len(whole))},
		"the middle":       {[]string{"Range", "bytes=1000-1999"}, 206, whole[1000:2000], fmt.Sprintf("bytes 1000-1999/%d", len(whole))},
		"the last bytes":   {[]string{"Range", "bytes=-10"}, 206, whole[len(whole)-10:], ""},
		"an open end":      {[]string{"Range", "bytes=65000-"}, 206, whole[65000:], ""},
		"past the end":     {[]string{"Range", "bytes=99999999-"}, 416, "", fmt.Sprintf("bytes */%d", len(whole))},
		"the same version": {[]string{"Range", "bytes=0-9", "If-Range", `"generation-1"`}, 206, whole[:10], ""},
		"another version":  {[]string{"Range", "bytes=0-9", "If-Range", `"generation-2"`}, 200, whole, ""},
		"what is known":    {[]string{"If-None-Match", `"generation-1"`}, 304, "", ""},
	} {
		got := get(t, data, c.header...)
		if got.status != c.status || (c.body != "" && got.body != c.body) {
			t.Errorf("%s: %d with %d bytes", name, got.status, len(got.body))
		}
		if c.rangeField != "" && got.header.Get("Content-Range") != c.rangeField {
			t.Errorf("%s: Content-Range is %q", name, got.header.Get("Content-Range"))
		}
	}
	got := get(t, data, "Range", "bytes=0-1,16-17")
	if kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type")); err != nil || kind != "multipart/byteranges" || got.status != 206 {
		t.Errorf("two ranges: %d %s", got.status, kind)
	}
	head := do(t, http.MethodHead, data)
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(whole)) {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	if n := b.origin.count(); n != 1 {
		t.Errorf("ranges made %d requests to the origin", n)
	}
}

func TestHeadersOfAHit(t *testing.T) {
	t.Parallel()
	b := start(t)
	data := b.sign(t, folder).Data
	first := get(t, data)
	b.clock.advance(90 * time.Second)
	second := get(t, data)
	for name, c := range map[string]struct{ got, want string }{
		"a miss":        {first.header.Get("X-Cache"), "MISS"},
		"a miss's age":  {first.header.Get("Age"), ""},
		"a hit":         {second.header.Get("X-Cache"), "HIT"},
		"a hit's age":   {second.header.Get("Age"), "90"},
		"ETag":          {second.header.Get("ETag"), `"generation-1"`},
		"Last-Modified": {second.header.Get("Last-Modified"), "Mon, 02 Jan 2006 15:04:05 GMT"},
		"Cache-Control": {second.header.Get("Cache-Control"), "public, max-age=31536000"},
		"Accept-Ranges": {second.header.Get("Accept-Ranges"), "bytes"},
		"Content-Type":  {second.header.Get("Content-Type"), "application/octet-stream"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
	if got, want := b.Stats(), (Stats{Hits: 1, Misses: 1, Fetches: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestPagesOfAnyOriginMayReadRanges(t *testing.T) {
	t.Parallel()
	b := start(t)
	data := b.sign(t, folder).Data
	pre := do(t, http.MethodOptions, data, "Origin", "https://app.example.com",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "range")
	if pre.status != http.StatusNoContent || !strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "Range") ||
		!strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), "GET") {
		t.Errorf("preflight: %d %v", pre.status, pre.header)
	}
	plain, _, _ := strings.Cut(data, "?")
	for name, got := range map[string]response{
		"preflight": pre, "range": get(t, data, "Range", "bytes=0-9"), "refusal": get(t, plain),
	} {
		if got.header.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Content-Range") {
			t.Errorf("%s: %v", name, got.header)
		}
	}
	if n := b.origin.count(); n != 1 {
		t.Errorf("the preflight reached the origin: %d requests", n)
	}
}

func TestSignaturesAreNotInTheCacheKey(t *testing.T) {
	t.Parallel()
	b := start(t)
	first := b.sign(t, folder).Data
	b.clock.advance(time.Minute)
	second := b.sign(t, folder).Data
	if first == second {
		t.Fatal("both URLs have one signature")
	}
	for _, url := range []string{first, second} {
		if got := get(t, url); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := get(t, second); got.header.Get("X-Cache") != "HIT" || b.origin.count() != 1 {
		t.Errorf("%s after %d requests to the origin", got.header.Get("X-Cache"), b.origin.count())
	}
	if strings.Contains(b.origin.requests[0], "Signature") {
		t.Errorf("the origin saw %s", b.origin.requests[0])
	}
}

func TestTwentyClientsMakeOneFetch(t *testing.T) {
	t.Parallel()
	b := start(t)
	const clients = 20
	// The origin answers once all clients have missed, so that all wait for it.
	b.origin.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		deadline := time.After(10 * time.Second)
		for b.Stats().Misses < clients {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return false
			case <-deadline:
				t.Error("the clients did not all miss")
				return false
			}
		}
		return false
	})
	data, want := b.sign(t, folder).Data, b.origin.objects[folder+"data"]
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			if got := get(t, data); got.body != want {
				t.Errorf("%d, %d bytes", got.status, len(got.body))
			}
		})
	}
	wg.Wait()
	if n := b.origin.count(); n != 1 || b.Stats().Fetches != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
}

func TestLatencyDelaysEachRequest(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Latency = 30 * time.Millisecond })
	data := b.sign(t, folder).Data
	for range 2 {
		began := time.Now()
		if got := get(t, data); got.status != http.StatusOK || time.Since(began) < 30*time.Millisecond {
			t.Errorf("%d after %v", got.status, time.Since(began))
		}
	}
	b.SetLatency(time.Hour)
	b.SetLatency(0)
	if got := get(t, data); got.status != http.StatusOK {
		t.Errorf("without latency: %d", got.status)
	}
}
