package gcs_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/emulators/gcs"
)

func TestABucketIsPrivate(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if _, err := write(t.Context(), client(t, e).Bucket(bucket).Object("a"), []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/storage/v1/b", "/storage/v1/b/" + bucket, "/storage/v1/b/" + bucket + "/o", "/storage/v1/b/" + bucket + "/o/a",
		"/storage/v1/b/" + bucket + "/o/a?alt=media", "/download/storage/v1/b/" + bucket + "/o/a?alt=media",
		"/storage/v1/b/" + bucket + "/notificationConfigs", "/upload/storage/v1/b/" + bucket + "/o?uploadType=media&name=b",
		"/" + bucket, "/" + bucket + "/a", "/" + bucket + "/a?alt=media&uploadType=media", "//" + bucket + "/a", "/_internal/config",
		"/storage/v1/b/" + bucket + "/o/a?alt=media&X-Goog-Signature=00",
	} {
		for _, header := range []string{"X-Nothing:", "Authorization:Bearer wrong", "Authorization:Basic " + bearer, "Authorization:Bearer " + bearer + "x"} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
				a := do(t, method, e.URL()+path, nil, header)
				if a.StatusCode != 401 && a.StatusCode != 403 || strings.Contains(a.body, "secret") {
					t.Errorf("%s %s with %s: %s %s", method, path, header, a.Status, a.body)
				}
			}
		}
	}
}

func TestWithoutABearerNothingStarts(t *testing.T) {
	t.Parallel()
	if err := gcs.New(gcs.Options{Dir: t.TempDir()}).Start(t.Context()); err == nil {
		t.Fatal("started")
	}
}

func TestNamesSurviveEveryWay(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	xml, json := client(t, e).Bucket(bucket), client(t, e, storage.WithJSONReads()).Bucket(bucket)
	for _, name := range []string{
		"plain", "with space", "deep/er/and deeper", "a+b", "100%", "50%25", "a%2Fb", "naïve/日本語/🎵.ogg",
		"!*'();:@&=$,?#[]", "quote\"<>&", "~tilde_.-", "x.metadata", "back\\slash", "o", "b/o/x",
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte("content of " + name)
			do(t, "PUT", sign(t, e, "PUT", name, nil), bytes.NewReader(body)).want(t, 200, "")
			if got := do(t, "GET", sign(t, e, "GET", name, nil), nil); got.body != string(body) {
				t.Errorf("signed: %s %q", got.Status, got.body)
			}
			for api, b := range map[string]*storage.BucketHandle{"XML": xml, "JSON": json} {
				if got := read(t, b.Object(name)); !bytes.Equal(got, body) {
					t.Errorf("%s: %q", api, got)
				}
			}
			attrs, err := xml.Object(name).Attrs(t.Context())
			if err != nil || attrs.Name != name {
				t.Errorf("attrs: %v, %v", attrs, err)
			}
			if got := list(t, xml, &storage.Query{Prefix: name}); !slices.Contains(got, name) {
				t.Errorf("listed: %q", got)
			}
			if err := xml.Object(name).Delete(t.Context()); err != nil {
				t.Error(err)
			}
			if attrs, err := write(t.Context(), xml.Object(name), body, nil); err != nil || attrs.Name != name {
				t.Errorf("JSON upload: %v, %v", attrs, err)
			}
			if got := read(t, xml.Object(name)); !bytes.Equal(got, body) {
				t.Errorf("after the JSON upload: %q", got)
			}
		})
	}
	for _, name := range []string{"a//b", "../x", "a/../../x", "a/.", "a/", "plain/below", strings.Repeat("x", 1025)} {
		_, err := write(t.Context(), xml.Object(name), []byte("x"), nil)
		if status(err) != 400 {
			t.Errorf("%.20q: %v", name, err)
		}
		if _, err := xml.Object(name).Attrs(t.Context()); !errors.Is(err, storage.ErrObjectNotExist) {
			t.Errorf("attrs of %.20q: %v", name, err)
		}
	}
}

func status(err error) int {
	var api *googleapi.Error
	if errors.As(err, &api) {
		return api.Code
	}
	return 0
}

func list(t *testing.T, b *storage.BucketHandle, q *storage.Query) []string {
	t.Helper()
	var names []string
	it := b.Objects(t.Context(), q)
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Prefix+o.Name)
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	b := client(t, e).Bucket(bucket)
	for _, n := range []string{"a/1", "a/2", "b/1", "c"} {
		if _, err := write(t.Context(), b.Object(n), []byte(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		query storage.Query
		want  string
	}{
		{storage.Query{}, "a/1 a/2 b/1 c"},
		{storage.Query{Prefix: "a/"}, "a/1 a/2"},
		{storage.Query{StartOffset: "a/2", EndOffset: "c"}, "a/2 b/1"},
		{storage.Query{Delimiter: "/"}, "c a/ b/"},
	} {
		if got := strings.Join(list(t, b, &tt.query), " "); got != tt.want {
			t.Errorf("%+v lists %q, want %q", tt.query, got, tt.want)
		}
	}
	page, next, err := func() ([]*storage.ObjectAttrs, string, error) {
		var page []*storage.ObjectAttrs
		next, err := iterator.NewPager(b.Objects(t.Context(), nil), 3, "").NextPage(&page)
		return page, next, err
	}()
	if err != nil || len(page) != 3 || next == "" {
		t.Errorf("first page: %d objects, next %q, %v", len(page), next, err)
	}
}

func TestRangesAreByteExact(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	const size = 1<<20 + 7
	content := noise(t, size)
	for _, opts := range [][]option.ClientOption{nil, {storage.WithJSONReads()}} {
		o := client(t, e, opts...).Bucket(bucket).Object("album/track 1.ogg")
		if _, err := write(t.Context(), o, content, nil); err != nil {
			t.Fatal(err)
		}
		for _, r := range [][2]int64{{0, -1}, {0, 1}, {1, 1}, {size - 1, 1}, {size - 1, -1}, {65535, 65537}, {3, 0}, {-5, -1}, {size - 3, 100}, {0, size}} {
			reader, err := o.NewRangeReader(t.Context(), r[0], r[1])
			if err != nil {
				t.Fatalf("%v: %v", r, err)
			}
			got, err := io.ReadAll(reader)
			if err != nil || reader.Close() != nil {
				t.Fatalf("%v: %v", r, err)
			}
			from, to := r[0], r[0]+r[1]
			if from < 0 {
				from += size
			}
			if r[1] < 0 || to > size {
				to = size
			}
			if !bytes.Equal(got, content[from:to]) || reader.Attrs.Size != size {
				t.Errorf("%v: %d bytes of %d", r, len(got), reader.Attrs.Size)
			}
		}
		if _, err := o.NewRangeReader(t.Context(), size, 1); status(err) != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("beyond the end: %v", err)
		}
	}
}

func TestUploadsKeepTheirAttributes(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	o := client(t, e).Bucket(bucket).Object("page.html.gz")
	gz := []byte("not really gzip")
	written, err := write(t.Context(), o, gz, func(w *storage.Writer) {
		w.ContentType, w.ContentEncoding, w.CacheControl = "text/html", "br", "public, max-age=60"
		w.ContentDisposition, w.Metadata = "inline", map[string]string{"track": "42"}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*storage.ObjectAttrs{written, got} {
		if a.ContentType != "text/html" || a.ContentEncoding != "br" || a.CacheControl != "public, max-age=60" ||
			a.ContentDisposition != "inline" || a.Metadata["track"] != "42" || a.Size != int64(len(gz)) || a.CRC32C == 0 ||
			a.Generation != got.Generation || a.Metageneration != 1 || !a.Created.Equal(got.Created) || a.Etag != got.Etag {
			t.Errorf("%+v", a)
		}
	}
	_, err = write(t.Context(), o, gz, func(w *storage.Writer) { w.SendCRC32C, w.CRC32C = true, 1 })
	if status(err) != 400 {
		t.Errorf("content with another checksum: %v", err)
	}
}

func TestConditionsHoldOnEveryVerb(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	ctx := t.Context()
	o := client(t, e).Bucket(bucket).Object("a")
	first, err := write(ctx, o.If(storage.Conditions{DoesNotExist: true}), []byte("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := write(ctx, o.If(storage.Conditions{GenerationMatch: first.Generation}), []byte("two"), nil)
	if err != nil || second.Generation <= first.Generation {
		t.Fatalf("%v after %d, %v", second, first.Generation, err)
	}
	now, stale := storage.Conditions{GenerationMatch: second.Generation}, storage.Conditions{GenerationMatch: first.Generation}
	for name, try := range map[string]func(*storage.ObjectHandle) error{
		"write":  func(o *storage.ObjectHandle) error { _, err := write(ctx, o, []byte("x"), nil); return err },
		"delete": func(o *storage.ObjectHandle) error { return o.Delete(ctx) },
		"attrs":  func(o *storage.ObjectHandle) error { _, err := o.Attrs(ctx); return err },
		"read":   func(o *storage.ObjectHandle) error { _, err := o.NewReader(ctx); return err },
		"copy": func(o *storage.ObjectHandle) error {
			_, err := o.CopierFrom(client(t, e).Bucket(bucket).Object("a")).Run(ctx)
			return err
		},
	} {
		for _, c := range []storage.Conditions{stale, {DoesNotExist: true}, {MetagenerationMatch: 2}} {
			if name == "read" && c.DoesNotExist {
				continue // the client refuses to ask
			}
			if err := try(o.If(c)); status(err) != 412 {
				t.Errorf("%s with %+v: %v", name, c, err)
			}
		}
	}
	if _, err := o.If(storage.Conditions{GenerationNotMatch: second.Generation}).Attrs(ctx); status(err) != 304 {
		t.Errorf("attrs of what the client has: %v", err)
	}
	if _, err := o.Generation(first.Generation).NewReader(ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		t.Errorf("an overwritten generation: %v", err)
	}
	if err := o.Generation(first.Generation).Delete(ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		t.Errorf("deleting an overwritten generation: %v", err)
	}
	if got := read(t, o.If(now)); string(got) != "two" {
		t.Errorf("read %q", got)
	}
	if err := o.If(now).Delete(ctx); err != nil {
		t.Error(err)
	}
	if err := o.Delete(ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		t.Errorf("deleting twice: %v", err)
	}
}

func TestOneOfManyUploadsCreatesTheObject(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	o := client(t, e).Bucket(bucket).Object("a").If(storage.Conditions{DoesNotExist: true})
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = write(t.Context(), o, []byte{byte(i)}, nil) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case status(err) != 412:
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d uploads created the object", won)
	}
}

func TestCopyAcrossBuckets(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	c := client(t, e)
	if err := c.Bucket("segue-streams").Create(t.Context(), "segue", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Bucket("segue-streams").Create(t.Context(), "segue", nil); status(err) != 409 {
		t.Errorf("creating a bucket twice: %v", err)
	}
	from, to := c.Bucket(bucket).Object("a b/c"), c.Bucket("segue-streams").Object("d/e f")
	if _, err := write(t.Context(), from, []byte("copied"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := to.CopierFrom(from).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, to); string(got) != "copied" {
		t.Errorf("copied %q", got)
	}
	if err := c.Bucket("segue-streams").Delete(t.Context()); status(err) != 409 {
		t.Errorf("deleting a bucket that holds an object: %v", err)
	}
}

func TestWhatIsNotEmulatedSaysSo(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if _, err := write(t.Context(), client(t, e).Bucket(bucket).Object("a"), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ method, path string }{
		{"POST", "/resumable/upload/storage/v1/b/" + bucket + "/o"},
		{"PATCH", "/storage/v1/b/" + bucket + "/o/a"},
		{"PUT", "/storage/v1/b/" + bucket + "/o/a"},
		{"POST", "/storage/v1/b/" + bucket + "/o/a/compose"},
		{"GET", "/storage/v1/b/" + bucket + "/o/a/acl"},
		{"POST", "/batch/storage/v1"},
	} {
		a := do(t, tt.method, e.URL()+tt.path, strings.NewReader("{}"), "Authorization:Bearer "+bearer)
		if a.StatusCode != 501 || !strings.Contains(a.body, "does not emulate") {
			t.Errorf("%s %s: %s %s", tt.method, tt.path, a.Status, a.body)
		}
	}
}

func TestATornMultipartUploadStoresNothing(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	whole := "--B\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a\"}\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
	target := e.URL() + "/upload/storage/v1/b/" + bucket + "/o?uploadType=multipart"
	bodies := []string{strings.TrimSuffix(whole, "--\r\n") + "\r\n\r\na third part\r\n--B--\r\n"}
	for cut := len(whole) - 5; cut > 0; cut -= 7 {
		bodies = append(bodies, whole[:cut])
	}
	for _, body := range bodies {
		a := do(t, "POST", target, strings.NewReader(body), "Authorization:Bearer "+bearer, "Content-Type:multipart/related; boundary=B")
		if a.StatusCode != 400 {
			t.Errorf("%q: %s %s", body, a.Status, a.body)
		}
	}
	if got := list(t, client(t, e).Bucket(bucket), nil); len(got) != 0 {
		t.Fatalf("stored %q", got)
	}
	a := do(t, "POST", target, strings.NewReader(whole), "Authorization:Bearer "+bearer, "Content-Type:multipart/related; boundary=B")
	if a.StatusCode != 200 || string(read(t, client(t, e).Bucket(bucket).Object("a"))) != "hello" {
		t.Errorf("whole: %s %s", a.Status, a.body)
	}
	media := e.URL() + "/upload/storage/v1/b/" + bucket + "/o?uploadType=media&name=" + url.QueryEscape("b c")
	if a := do(t, "POST", media, strings.NewReader("simple"), "Authorization:Bearer "+bearer); a.StatusCode != 200 {
		t.Errorf("media: %s %s", a.Status, a.body)
	}
	if got := read(t, client(t, e).Bucket(bucket).Object("b c")); string(got) != "simple" {
		t.Errorf("media: %q", got)
	}
}

func TestTheClientFindsItByEnvironment(t *testing.T) {
	e := start(t, nil)
	t.Setenv("STORAGE_EMULATOR_HOST", e.Host())
	c, err := storage.NewClient(t.Context(), option.WithHTTPClient(&http.Client{Transport: withBearer{bearer}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := c.Bucket(bucket).Object("a/b")
	if _, err := write(t.Context(), o, []byte("found"), nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, o); string(got) != "found" {
		t.Errorf("read %q", got)
	}
}
