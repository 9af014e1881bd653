package cdn

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func TestFillsFromCloudStorage(t *testing.T) {
	t.Parallel()
	gcs, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener: true,
		InitialObjects: []fakestorage.Object{{
			ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: folder + "data", ContentType: "audio/ogg"},
			Content:     []byte("sealed audio"),
		}},
	})
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
	b := start(t, func(o *Options) { o.Origin = private.URL + "/" })

	urls := b.sign(t, folder)
	if got := get(t, urls.Data, "Range", "bytes=7-"); got.status != 206 || got.body != "audio" || got.header.Get("Content-Type") != "audio/ogg" {
		t.Errorf("%d %q %v", got.status, got.body, got.header)
	}
	if got := get(t, urls.Data); !strings.HasPrefix(got.header.Get("ETag"), `"`) {
		t.Errorf("ETag %s is not quoted", got.header.Get("ETag"))
	}
	if got := get(t, urls.Hashes); got.status != http.StatusNotFound {
		t.Errorf("a missing object: %d", got.status)
	}
}

func TestMissingObjectIsAskedForAgain(t *testing.T) {
	t.Parallel()
	b := start(t)
	url := b.sign(t, "audio/later/").Data
	if got := get(t, url); got.status != http.StatusNotFound || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.status, got.header)
	}
	b.origin.mu.Lock()
	b.origin.objects["audio/later/data"] = "here now"
	b.origin.mu.Unlock()
	if got := get(t, url); got.body != "here now" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestOriginFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"503": func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "a secret of the origin", http.StatusServiceUnavailable)
			return true
		},
		"403": func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "a secret of the origin", http.StatusForbidden)
			return true
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/elsewhere" {
				_, _ = io.WriteString(w, "a secret of the origin")
			} else {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}
			return true
		},
		"a body cut short": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "a secret of the origin")
			return true
		},
		"no answer": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.origin.answer(broken)
			url := b.sign(t, folder).Seek
			if got := get(t, url); got.status != http.StatusBadGateway || strings.Contains(got.body, "secret") {
				t.Errorf("%d %s", got.status, got.body)
			}
			b.origin.answer(nil)
			if got := get(t, url); got.status != http.StatusOK || got.body != "seek points" {
				t.Errorf("after it: %d %s", got.status, got.body)
			}
		})
	}
}

func TestOriginNeedsTheTransportsCredentials(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Transport = nil })
	if got := get(t, b.sign(t, folder).Data); got.status != http.StatusBadGateway {
		t.Errorf("without credentials: %d", got.status)
	}
}

func TestBucketIsNeverListed(t *testing.T) {
	t.Parallel()
	b := start(t)
	soon := b.clock.Now().Add(1 << 30)
	if got := get(t, b.URL()+"/?"+prefixQuery(keys()["new"], "new", b.URL()+"/", soon)); got.status != http.StatusNotFound {
		t.Errorf("the root: %d %s", got.status, got.body)
	}
	if n := b.origin.count(); n != 0 {
		t.Errorf("the root made %d requests to the origin", n)
	}
	data := b.sign(t, folder).Data
	if got := get(t, strings.Replace(data, "/data?", "/?", 1)); got.status != http.StatusNotFound {
		t.Errorf("the folder: %d %s", got.status, got.body)
	}
}

func TestAFetchOutlivesTheClientThatBeganIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	b.origin.answer(func(http.ResponseWriter, *http.Request) bool {
		close(asked)
		<-goOn
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := b.fill(ctx, place{bucket, folder + "data"})
		first <- err
	}()
	<-asked
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the client that left: %v", err)
	}
	b.origin.answer(nil)
	close(goOn)
	if got := get(t, b.sign(t, folder).Data); got.status != http.StatusOK || b.origin.count() != 1 {
		t.Errorf("the next client: %d after %d requests to the origin", got.status, b.origin.count())
	}
}
