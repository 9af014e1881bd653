package cdn

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

const (
	imagesBucket = "images-bucket"
	forGood      = "public, max-age=31536000, immutable"
)

// public is a CDN in front of Cloud Storage with audio and images.
func public(t *testing.T) *bench {
	t.Helper()
	object := func(bucket, name, kind string) fakestorage.Object {
		return fakestorage.Object{
			ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name, ContentType: kind, CacheControl: forGood}, Content: []byte("content of " + name),
		}
	}
	gcs, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, InitialObjects: []fakestorage.Object{
		object(bucket, folder+"data", "audio/ogg"), object(bucket, "images/private", "audio/ogg"),
		object(imagesBucket, "images/x/640.jpg", "image/jpeg"), object(imagesBucket, "secret", "text/plain"), object(imagesBucket, folder+"data", "text/plain"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gcs.Stop)
	private := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != bearer {
			http.Error(w, "no bearer", http.StatusUnauthorized)
			return
		}
		gcs.HTTPHandler().ServeHTTP(w, r)
	}))
	t.Cleanup(private.Close)
	return start(t, func(o *Options) { o.Origin, o.Images = private.URL, imagesBucket })
}

// Images are everybody's; nothing else is, in either bucket.
func TestImagesNeedNoSignature(t *testing.T) {
	t.Parallel()
	b := public(t)
	host := strings.TrimPrefix(b.URL(), "http://")
	for path, want := range map[string]int{
		"/images/x/640.jpg":               http.StatusOK,
		"/images/x/640.jpg?v=2":           http.StatusOK,
		"/images/x/300.jpg":               http.StatusNotFound,
		"/images/private":                 http.StatusNotFound, // the other bucket's
		"/images/x/":                      http.StatusNotFound,
		"/images/":                        http.StatusNotFound,
		"/images":                         http.StatusForbidden,
		"/":                               http.StatusForbidden,
		"/secret":                         http.StatusForbidden,
		"/images/../secret":               http.StatusForbidden,
		"/images/%2e%2e/secret":           http.StatusForbidden,
		"/images%2fx/640.jpg":             http.StatusForbidden,
		"/%69mages/x/640.jpg":             http.StatusForbidden,
		"/images//x/640.jpg":              http.StatusForbidden,
		"//images/x/640.jpg":              http.StatusForbidden,
		"/Images/x/640.jpg":               http.StatusForbidden,
		"/" + folder + "data":             http.StatusForbidden,
		"/images/../" + folder + "data":   http.StatusForbidden,
		"/images/%2e%2e%2f" + folder + "": http.StatusForbidden,
	} {
		if got := rawGet(t, host, path, host); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := get(t, b.sign(t, folder).Data); got.body != "content of "+folder+"data" || got.header.Get("Content-Type") != "audio/ogg" || got.header.Get("Cache-Control") != "public, max-age=31536000" {
		t.Errorf("signed audio: %d %s %v", got.status, got.body, got.header)
	}
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete} {
		if got := do(t, method, b.URL()+"/images/x/640.jpg"); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
			t.Errorf("%s: %d", method, got.status)
		}
	}
}

func TestImagesAreCachedAndServedInRanges(t *testing.T) {
	t.Parallel()
	b := public(t)
	at := b.URL() + "/images/x/640.jpg"
	first, second := get(t, at), get(t, at+"?other=1", "Range", "bytes=0-6")
	if first.header.Get("X-Cache") != "MISS" || second.header.Get("X-Cache") != "HIT" || second.status != http.StatusPartialContent || second.body != "content" {
		t.Errorf("%v, then %d %q", first.header, second.status, second.body)
	}
	for name, want := range map[string]string{"Content-Type": "image/jpeg", "Cache-Control": forGood, "Access-Control-Allow-Origin": "*"} {
		if got := first.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if head := do(t, http.MethodHead, at); head.status != http.StatusOK || head.body != "" {
		t.Errorf("HEAD: %d", head.status)
	}
	if got := get(t, at, "If-None-Match", first.header.Get("ETag")); got.status != http.StatusNotModified {
		t.Errorf("the same again: %d", got.status)
	}
}
