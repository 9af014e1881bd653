package gcs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	"github.com/segue-audio/segue/emulators/gcs"
)

const (
	bearer  = "bearer-of-the-run"
	account = "signer@segue.iam.gserviceaccount.com"
	bucket  = "segue-uploads"
)

// TestMain leaves UTC, so that no answer depends on the machine's time zone.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("far", -7*60*60)
	os.Exit(leak.Watch(m.Run))
}

// RSA keys are slow to make, above all under the race detector.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func key(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pemOf(k *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

// start serves an emulator with one bucket.
func start(t *testing.T, edit func(*gcs.Options)) *gcs.Emulator {
	t.Helper()
	o := gcs.Options{
		Dir: t.TempDir(), Bearer: bearer, Log: t.Output(),
		Signers: map[string]*rsa.PublicKey{account: &key(t).PublicKey},
	}
	if edit != nil {
		edit(&o)
	}
	e := gcs.New(o)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	b := client(t, e).Bucket(bucket)
	if _, err := b.Attrs(t.Context()); err != nil {
		if err := b.Create(t.Context(), "segue", nil); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func stop(t *testing.T, e *gcs.Emulator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Error(err)
	}
}

type withBearer struct{ token string }

func (b withBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// client is Google's own, which must not be able to tell the difference.
func client(t *testing.T, e *gcs.Emulator, opts ...option.ClientOption) *storage.Client {
	t.Helper()
	opts = append(opts, option.WithHTTPClient(&http.Client{Transport: withBearer{bearer}}), option.WithEndpoint(e.URL()+"/storage/v1/"))
	c, err := storage.NewClient(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sign makes a signed URL as production code does.
func sign(t *testing.T, e *gcs.Emulator, method, object string, edit func(*storage.SignedURLOptions)) string {
	t.Helper()
	o := &storage.SignedURLOptions{
		GoogleAccessID: account, PrivateKey: pemOf(key(t)),
		Method: method, Expires: time.Now().Add(10 * time.Minute),
		Scheme: storage.SigningSchemeV4, Hostname: e.Host(), Insecure: true,
	}
	if edit != nil {
		edit(o)
	}
	u, err := storage.SignedURL(bucket, object, o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// sized is a body whose length is declared but not known to net/http.
type sized struct {
	io.Reader
	size int64
}

// gate holds a body back until every other one has come as far.
type gate struct {
	wg   *sync.WaitGroup
	once sync.Once
}

func (g *gate) Read([]byte) (int, error) {
	g.once.Do(g.wg.Done)
	g.wg.Wait()
	return 0, io.EOF
}

type answer struct {
	*http.Response
	body string
}

// do sends a request as anyone would who was given the URL.
func do(t *testing.T, method, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := body.(sized); ok {
		req.ContentLength = s.size
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{Response: resp, body: string(data)}
}

func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.StatusCode != status || code != "" && !strings.Contains(a.body, "<Code>"+code+"</Code>") {
		t.Fatalf("answer %s, want %d %s: %s", a.Status, status, code, a.body)
	}
}

// write uploads by the JSON API, in one request.
func write(ctx context.Context, o *storage.ObjectHandle, content []byte, edit func(*storage.Writer)) (*storage.ObjectAttrs, error) {
	w := o.NewWriter(ctx)
	w.ChunkSize = 0
	if edit != nil {
		edit(w)
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return w.Attrs(), nil
}

func read(t *testing.T, o *storage.ObjectHandle) []byte {
	t.Helper()
	r, err := o.NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("never happened: " + what)
		}
	}
}

func noise(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}
