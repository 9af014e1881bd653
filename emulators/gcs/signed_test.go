package gcs_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/gcs"
)

const flac = "audio/flac"

// newObject is what the upload function signs: one new object, of one type,
// of a bounded size.
func newObject(o *storage.SignedURLOptions) {
	o.ContentType = flac
	o.Headers = []string{"x-goog-if-generation-match:0", "x-goog-content-length-range:4,16"}
}

var newObjectHeaders = []string{"Content-Type:" + flac, "X-Goog-If-Generation-Match:0", "X-Goog-Content-Length-Range:4,16"}

func TestASignedPutStoresTheObject(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	u := sign(t, e, "PUT", "take/one.flac", newObject)
	put := do(t, "PUT", u, strings.NewReader("eight by"), newObjectHeaders...)
	put.want(t, 200, "")

	attrs, err := client(t, e).Bucket(bucket).Object("take/one.flac").Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte("eight by"))
	for name, want := range map[string]string{
		"X-Goog-Generation":     strconv.FormatInt(attrs.Generation, 10),
		"X-Goog-Metageneration": "1",
		"Etag":                  `"` + hex.EncodeToString(sum[:]) + `"`,
	} {
		if got := put.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	hash := strings.Join(put.Header.Values("X-Goog-Hash"), ",")
	if !strings.HasPrefix(hash, "crc32c=") || !strings.HasSuffix(hash, ",md5="+base64.StdEncoding.EncodeToString(sum[:])) {
		t.Errorf("X-Goog-Hash is %q", hash)
	}
	if attrs.ContentType != flac || attrs.Size != 8 || !bytes.Equal(attrs.MD5, sum[:]) {
		t.Errorf("stored as %+v", attrs)
	}

	get := do(t, "GET", sign(t, e, "GET", "take/one.flac", nil), nil)
	get.want(t, 200, "")
	if get.body != "eight by" || get.Header.Get("Etag") != put.Header.Get("Etag") || get.Header.Get("Content-Type") != flac {
		t.Errorf("read back %q, %v", get.body, get.Header)
	}
	if modified, err := http.ParseTime(get.Header.Get("Last-Modified")); err != nil || time.Since(modified).Abs() > time.Minute {
		t.Errorf("Last-Modified is %q", get.Header.Get("Last-Modified"))
	}
	head := do(t, "HEAD", sign(t, e, "GET", "take/one.flac", nil), nil)
	if head.StatusCode != 200 || head.ContentLength != 8 {
		t.Errorf("HEAD with a URL signed for GET: %s, %d bytes", head.Status, head.ContentLength)
	}
	part := do(t, "GET", sign(t, e, "GET", "take/one.flac", nil), nil, "Range:bytes=3-5")
	if part.StatusCode != 206 || part.body != "ht " {
		t.Errorf("range: %s %q", part.Status, part.body)
	}
	do(t, "DELETE", sign(t, e, "DELETE", "take/one.flac", nil), nil).want(t, 204, "")
	do(t, "GET", sign(t, e, "GET", "take/one.flac", nil), nil).want(t, 404, "NoSuchKey")
}

func TestSignedRequestsRefused(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	e := start(t, func(o *gcs.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) func(string) string {
		return func(u string) string { return strings.Replace(u, from, to, 1) }
	}
	signature := regexp.MustCompile("&X-Goog-Signature=[0-9a-f]+")
	body := "eight by"
	tests := []struct {
		name    string
		method  string // PUT unless given
		url     func(string) string
		signed  func(*storage.SignedURLOptions)
		headers []string // the signed ones unless given
		body    io.Reader
		ahead   time.Duration
		status  int
		code    string
	}{
		{name: "no signature", url: func(u string) string { u, _, _ = strings.Cut(u, "?"); return u }, status: 403, code: "AccessDenied"},
		{name: "signature left out", url: func(u string) string { return signature.ReplaceAllString(u, "") }, status: 400, code: "InvalidArgument"},
		{name: "signature of zeros", url: func(u string) string {
			return signature.ReplaceAllString(u, "&X-Goog-Signature="+strings.Repeat("00", 256))
		}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "signature not hexadecimal", url: replace("X-Goog-Signature=", "X-Goog-Signature=zz"), status: 400, code: "InvalidArgument"},
		{name: "changed path", url: replace("/one.flac", "/two.flac"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "path encoded in another way", url: replace("/one.flac", "/%6fne.flac"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "another bucket", url: replace(bucket, "segue-streams"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "added query", url: func(u string) string { return u + "&acl=" }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "longer life", url: replace("X-Goog-Expires=59", "X-Goog-Expires=69"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "more than seven days", url: replace("X-Goog-Expires=", "X-Goog-Expires=60480"), status: 400, code: "InvalidArgument"},
		{name: "no life", url: replace("X-Goog-Expires=", "X-Goog-Expires=-"), status: 400, code: "InvalidArgument"},
		{name: "doubled parameter", url: func(u string) string { return u + "&X-Goog-Expires=599" }, status: 400, code: "InvalidArgument"},
		{name: "doubled in lower case", url: func(u string) string { return u + "&x-goog-expires=599" }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "semicolon in the query", url: func(u string) string { return u + "&a;b" }, status: 400, code: "InvalidArgument"},
		{name: "another algorithm", url: replace("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"), status: 400, code: "InvalidArgument"},
		{name: "another service", url: replace("%2Fstorage%2F", "%2Fcompute%2F"), status: 400, code: "InvalidArgument"},
		{name: "another location", url: replace("%2Fauto%2F", "%2Feurope%2F"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "host not signed", url: replace("%3Bhost", ""), status: 400, code: "InvalidArgument"},
		{name: "headers out of order", url: replace("content-type%3Bhost", "host%3Bcontent-type"), status: 400, code: "InvalidArgument"},
		{name: "expired", ahead: 10*time.Minute + time.Second, status: 400, code: "ExpiredToken"},
		{name: "future date", ahead: -time.Hour, status: 403, code: "RequestTimeTooSkewed"},
		{name: "another key", signed: func(o *storage.SignedURLOptions) { o.PrivateKey = pemOf(other) }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "unknown account", signed: func(o *storage.SignedURLOptions) { o.GoogleAccessID = "nobody@segue" }, status: 403, code: "AccessDenied"},
		{name: "signed for another host", signed: func(o *storage.SignedURLOptions) { o.Hostname = "storage.example" }, url: replace("storage.example", ""), status: 403, code: "SignatureDoesNotMatch"},
		{name: "signed for GET", signed: func(o *storage.SignedURLOptions) { o.Method = "GET" }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "POST with a URL for PUT", method: "POST", status: 403, code: "SignatureDoesNotMatch"},
		{name: "GET with a URL for PUT", method: "GET", body: http.NoBody, status: 403, code: "SignatureDoesNotMatch"},
		{name: "POST signed", method: "POST", signed: func(o *storage.SignedURLOptions) { o.Method = "POST" }, status: 405, code: "MethodNotAllowed"},
		{name: "POST with a URL that begins a session, as a plain one", method: "POST", signed: newSession, status: 400, code: "MalformedSecurityHeader"},
		{name: "a session begun by PUT", signed: func(o *storage.SignedURLOptions) { newSession(o); o.Method = "PUT" }, headers: newSessionHeaders, status: 400, code: "InvalidArgument"},
		{name: "wrong content type", headers: append([]string{"Content-Type:text/html"}, newObjectHeaders[1:]...), status: 403, code: "SignatureDoesNotMatch"},
		{name: "no content type", headers: newObjectHeaders[1:], status: 400, code: "MalformedSecurityHeader"},
		{name: "precondition left out", headers: []string{newObjectHeaders[0], newObjectHeaders[2]}, status: 400, code: "MalformedSecurityHeader"},
		{name: "another precondition", headers: []string{newObjectHeaders[0], "X-Goog-If-Generation-Match:1", newObjectHeaders[2]}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "wider range", headers: []string{newObjectHeaders[0], newObjectHeaders[1], "X-Goog-Content-Length-Range:0,99"}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "unsigned extension header", headers: append([]string{"X-Goog-Meta-Owner:eve"}, newObjectHeaders...), status: 400, code: "MalformedSecurityHeader"},
		{name: "bearer beside the signature", headers: append([]string{"Authorization:Bearer " + bearer}, newObjectHeaders...), status: 400, code: "InvalidArgument"},
		{name: "signed parameter that means another request", signed: func(o *storage.SignedURLOptions) { o.QueryParameters = map[string][]string{"acl": {""}} }, status: 501, code: "NotImplemented"},
		{name: "too long", body: strings.NewReader(strings.Repeat("x", 17)), status: 400, code: "EntityTooLarge"},
		{name: "too short", body: strings.NewReader("xyz"), status: 400, code: "EntityTooSmall"},
		{name: "empty", body: http.NoBody, status: 400, code: "EntityTooSmall"},
		{name: "chunked, of no declared length", body: io.MultiReader(strings.NewReader(body)), status: 411, code: "MissingContentLength"},
		{name: "digest of other content", headers: append([]string{"Content-Md5:AAAAAAAAAAAAAAAAAAAAAA=="}, newObjectHeaders...), status: 400, code: "BadDigest"},
		{name: "name that leaves the bucket", url: replace("/one.flac", "/..%2Fone.flac"), status: 403, code: "SignatureDoesNotMatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := sign(t, e, "PUT", "take/one.flac", func(o *storage.SignedURLOptions) {
				newObject(o)
				if tt.signed != nil {
					tt.signed(o)
				}
			})
			if tt.url != nil {
				changed := tt.url(u)
				if tt.name == "signed for another host" {
					changed = strings.Replace(u, "storage.example", e.Host(), 1)
				}
				if changed == u {
					t.Fatal("the case changes nothing")
				}
				u = changed
			}
			if tt.method == "" {
				tt.method = "PUT"
			}
			if tt.headers == nil {
				tt.headers = newObjectHeaders
			}
			if tt.body == nil {
				tt.body = strings.NewReader(body)
			}
			ahead.Store(int64(tt.ahead))
			do(t, tt.method, u, tt.body, tt.headers...).want(t, tt.status, tt.code)
			ahead.Store(0)
			_, err := client(t, e).Bucket(bucket).Object("take/one.flac").Attrs(t.Context())
			if !errors.Is(err, storage.ErrObjectNotExist) {
				t.Fatalf("something was stored: %v", err)
			}
		})
	}
	do(t, "PUT", sign(t, e, "PUT", "take/one.flac", newObject), strings.NewReader(body), newObjectHeaders...).want(t, 200, "")
}

func TestABodyThatBreaksOffStoresNothing(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	u := sign(t, e, "PUT", "take/one.flac", nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", e.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nonly this", strings.TrimPrefix(u, e.URL()), e.Host())
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(reply), "IncompleteBody") {
		t.Fatalf("answer %q, %v", reply, err)
	}
	if _, err := client(t, e).Bucket(bucket).Object("take/one.flac").Attrs(t.Context()); !errors.Is(err, storage.ErrObjectNotExist) {
		t.Fatalf("something was stored: %v", err)
	}
}

func TestOneOfManySignedPutsCreatesTheObject(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	// The moment in which two could both win is short: many rounds.
	for round := range 25 {
		name := fmt.Sprintf("take/%d.flac", round)
		u := sign(t, e, "PUT", name, newObject)
		const n = 8
		answers := make([]answer, n)
		// No upload ends before all have begun, so that all compete.
		var begun, wg sync.WaitGroup
		begun.Add(n)
		for i := range n {
			wg.Go(func() {
				body := io.MultiReader(strings.NewReader("take "), &gate{wg: &begun}, strings.NewReader(fmt.Sprintf("%02d", i)))
				answers[i] = do(t, "PUT", u, sized{body, 7}, newObjectHeaders...)
			})
		}
		wg.Wait()
		winner := -1
		for i, a := range answers {
			if a.StatusCode == 200 {
				if winner >= 0 {
					t.Fatalf("%d and %d both won", winner, i)
				}
				winner = i
				continue
			}
			a.want(t, 412, "PreconditionFailed")
		}
		if got := string(read(t, client(t, e).Bucket(bucket).Object(name))); winner < 0 || got != fmt.Sprintf("take %02d", winner) {
			t.Fatalf("%d won, stored is %q", winner, got)
		}
	}
}

func TestBrowsersMayUseSignedURLs(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	u := sign(t, e, "PUT", "take/one.flac", newObject)
	asked := "content-type,x-goog-content-length-range"
	pre := do(t, "OPTIONS", u, nil, "Origin:https://segue.example", "Access-Control-Request-Method:PUT", "Access-Control-Request-Headers:"+asked)
	if pre.StatusCode != 200 || pre.Header.Get("Access-Control-Allow-Headers") != asked || !strings.Contains(pre.Header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Fatalf("preflight: %s %v", pre.Status, pre.Header)
	}
	put := do(t, "PUT", u, strings.NewReader("eight by"), append([]string{"Origin:https://segue.example"}, newObjectHeaders...)...)
	if put.StatusCode != 200 || put.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%s %v", put.Status, put.Header)
	}
	get := do(t, "GET", sign(t, e, "GET", "take/one.flac", nil), nil, "Origin:https://segue.example")
	if got := get.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "*" {
		t.Fatalf("Access-Control-Allow-Origin is %q", got)
	}
	if get.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("a signed URL needs no cookies")
	}
	if a := do(t, "OPTIONS", e.URL()+"/"+bucket+"/take/one.flac", nil, "Origin:https://segue.example"); a.StatusCode != 403 {
		t.Fatalf("a preflight without a signature: %s", a.Status)
	}
}
