package upload

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/ingest"
)

func resumable(size int64) CreateRequest {
	r := announce(size)
	r.Resumable = true
	return r
}

func TestSessionTakesTheFileOnce(t *testing.T) {
	t.Parallel()
	d := deps(t)
	const part = 256 << 10
	file := strings.Repeat("sound", part/4)
	before := time.Now()
	got := create(t, d, "label", resumable(int64(len(file))))
	if got.Method != http.MethodPut || !got.Resumable || !maps.Equal(got.Headers, map[string]string{"Content-Type": "audio/flac"}) ||
		strings.Contains(got.UploadURL, "X-Goog-Signature") || !strings.HasPrefix(got.UploadURL, d.Signer.StorageURL+"/") {
		t.Fatalf("answered %+v", got)
	}
	u, err := ingest.Read(t.Context(), d.Spanner.Single(), got.ID)
	if err != nil || u.Status != ingest.Waiting || !u.ExpiresAt.Equal(got.ExpiresAt) ||
		got.ExpiresAt.Sub(before.Add(7*24*time.Hour)).Abs() > time.Minute {
		t.Fatalf("recorded %+v, %v", u, err)
	}
	send := func(first, end int, total any) int {
		t.Helper()
		return put(t, got.Method, got.UploadURL, map[string]string{
			"Content-Type": "audio/flac", "Content-Range": fmt.Sprintf("bytes %d-%d/%v", first, end-1, total),
		}, file[first:end])
	}
	for i, s := range []struct{ status, want int }{
		{send(0, part, len(file)), 308},
		{send(part, len(file), len(file)), 200},
		{send(part, len(file), len(file)), 200}, // the same again
		{put(t, http.MethodPut, got.UploadURL, got.Headers, strings.ToUpper(file)), 200},
	} {
		if s.status != s.want {
			t.Errorf("%d: %d, want %d", i, s.status, s.want)
		}
	}
	r, err := d.Bucket.Object("uploads/" + got.ID).NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != file || r.Attrs.ContentType != "audio/flac" {
		t.Errorf("stored %d bytes of type %s: %v", len(b), r.Attrs.ContentType, err)
	}
}

func TestSessionTakesNothingElse(t *testing.T) {
	t.Parallel()
	d := deps(t)
	for name, c := range map[string]struct {
		method, contentRange, body string
		url                        func(string) string
		want                       int
	}{
		"shorter":              {body: "soun", want: 400},
		"longer":               {body: "sounds", want: 400},
		"empty":                {want: 400},
		"said to be shorter":   {body: "soun", contentRange: "bytes 0-3/4", want: 400},
		"said to be longer":    {body: "sound", contentRange: "bytes 0-4/6", want: 400},
		"longer, not said":     {body: "sounds", contentRange: "bytes 0-5/*", want: 400},
		"with a gap":           {body: "ound", contentRange: "bytes 1-4/5", want: 503},
		"not at its end":       {body: "sound", contentRange: "bytes 0-4/*", want: 308},
		"a read":               {method: http.MethodGet, body: "sound", want: 405},
		"another object":       {body: "sound", url: func(u string) string { return strings.Replace(u, "/uploads/", "/uploads/x", 1) }, want: 404},
		"another session":      {body: "sound", url: func(u string) string { return u[:len(u)-4] + "AAAA" }, want: 404},
		"without the session":  {body: "sound", url: func(u string) string { b, _, _ := strings.Cut(u, "?"); return b }, want: 403},
		"a session of its own": {method: http.MethodPost, url: func(u string) string { b, _, _ := strings.Cut(u, "?"); return b }, want: 403},
	} {
		got := create(t, d, "label", resumable(5))
		method, to, headers := http.MethodPut, got.UploadURL, maps.Clone(got.Headers)
		if c.method != "" {
			method = c.method
		}
		if c.url != nil {
			to = c.url(to)
		}
		if c.contentRange != "" {
			headers["Content-Range"] = c.contentRange
		}
		if method == http.MethodPost {
			headers["x-goog-resumable"] = "start"
		}
		if s := put(t, method, to, headers, c.body); s != c.want {
			t.Errorf("%s: %d, want %d", name, s, c.want)
		}
		if _, err := d.Bucket.Object("uploads/" + got.ID).Attrs(t.Context()); !errors.Is(err, storage.ErrObjectNotExist) {
			t.Errorf("%s: an object is there: %v", name, err)
		}
	}
}

func TestSessionIsOfTheAnnouncedType(t *testing.T) {
	t.Parallel()
	d := deps(t)
	got := create(t, d, "label", resumable(5))
	if s := put(t, got.Method, got.UploadURL, map[string]string{"Content-Type": "text/html"}, "sound"); s != http.StatusOK {
		t.Fatalf("PUT: %d", s)
	}
	if attrs, err := d.Bucket.Object("uploads/" + got.ID).Attrs(t.Context()); err != nil || attrs.ContentType != "audio/flac" {
		t.Errorf("stored %+v, %v", attrs, err)
	}
}

func TestSessionBeginsWhereClientsReachStorage(t *testing.T) {
	t.Parallel()
	d := deps(t)
	real, err := url.Parse(d.Signer.StorageURL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(real)
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(front.Close)
	d.Signer.StorageURL = front.URL
	got := create(t, d, "label", resumable(5))
	if !strings.HasPrefix(got.UploadURL, front.URL+"/") {
		t.Errorf("the session is at %s, not %s", got.UploadURL, front.URL)
	}
	if s := put(t, got.Method, got.UploadURL, got.Headers, "sound"); s != http.StatusOK {
		t.Errorf("PUT: %d", s)
	}
}

func TestStorageThatIsAway(t *testing.T) {
	t.Parallel()
	d := deps(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	broken := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, c := range map[string]struct {
		url  string
		want errs.Code
	}{
		"nobody listens": {closed, errs.Unavailable},
		"unavailable":    {broken(503), errs.Unavailable},
		"too busy":       {broken(429), errs.Unavailable},
		"refuses":        {broken(403), errs.Internal},
		"no address":     {broken(201), errs.Internal},
	} {
		d.Signer.StorageURL = c.url
		_, err := Create(as(t.Context(), "label"), resumable(5), d)
		if errs.CodeOf(err) != c.want || strings.Contains(err.Error(), "X-Goog-Signature") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	// Each left an upload that waits at an address that nobody knows, as a
	// function does that dies there; the next announcement is another one.
	if n := rows(t, d.Spanner); n != 5 {
		t.Errorf("%d uploads are recorded", n)
	}
}
