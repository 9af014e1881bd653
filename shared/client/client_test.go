package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	_ "github.com/segue-audio/segue/functions/ingest/upload"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/registry"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// segue is the upload function behind a server, and what it writes to.
type segue struct {
	client.Client
	spanner *spanner.Client
	bucket  *storage.BucketHandle
	issuer  *identity.Issuer
}

func start(t *testing.T) *segue {
	t.Helper()
	s := &segue{spanner: emutest.Database(t), bucket: emutest.Bucket(t)}
	var err error
	s.issuer, err = identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.test", Audience: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(s.issuer.JWKS())
	t.Cleanup(keys.Close)
	for k, v := range map[string]string{
		"SEGUE_PROJECT": "p", "SEGUE_SPANNER_DATABASE": s.spanner.DatabaseName(), "SEGUE_TOKEN_ISSUER": "https://accounts.test",
		"SEGUE_TOKEN_AUDIENCE": "https://api.test", "SEGUE_JWKS_URL": keys.URL, "SEGUE_UPLOADS_BUCKET": s.bucket.BucketName(), "SEGUE_IMAGES_URL": "https://img.test",
	} {
		t.Setenv(k, v)
	}
	server := httptest.NewServer(registry.All()[0].HTTP)
	t.Cleanup(server.Close)
	s.Client = client.Client{BaseURL: server.URL, Token: s.token("label"), HTTP: server.Client()}
	return s
}

func (s *segue) token(subject string) func() (string, error) {
	return func() (string, error) {
		return s.issuer.AccessToken(identity.Claims{Subject: subject, ClientID: "c", Scopes: []string{"catalog-write"}})
	}
}

// settle gives an upload its next status, as the pipeline does.
func (s *segue) settle(t *testing.T, u ingest.Upload) {
	t.Helper()
	if _, err := s.spanner.Apply(t.Context(), []*spanner.Mutation{u.Update()}); err != nil {
		t.Fatal(err)
	}
}

// One test of the whole, not parallel: the function finds its stores through the
// environment, once.
func TestUploadAndFollow(t *testing.T) {
	s := start(t)
	for name, content := range map[string]string{"sound": "sound", "large": strings.Repeat("sound", 2<<20), "empty": ""} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Upload(t.Context(), file, client.Announcement{Filename: "a.flac", ContentType: "audio/flac"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.bucket.Object(ingest.Prefix + got.ID).NewReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != content || r.Attrs.ContentType != "audio/flac" {
			t.Errorf("%s: stored %q of type %s: %v", name, b, r.Attrs.ContentType, err)
		}
		_ = r.Close()
		if got.Resumable != (content != "") {
			t.Errorf("%s: sent with %+v", name, got)
		}
		once(t, s, content)
		follow(t, s, got.ID)
	}
	refusals(t, s)
}

// once sends a file the plain way, where the URL takes it once.
func once(t *testing.T, s *segue, content string) {
	t.Helper()
	var to client.Target
	a := client.Announcement{Filename: "a.flac", ContentType: "audio/flac", Size: int64(len(content))}
	if err := s.Call(t.Context(), http.MethodPost, "/v1/uploads", a, &to); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), to, strings.NewReader(content), a.Size); err != nil {
		t.Error(err)
	}
	err := s.Put(t.Context(), to, strings.NewReader(content), a.Size)
	if err == nil || !strings.HasPrefix(err.Error(), "storage answers 412: Precondition Failed: ") {
		t.Errorf("sent again: %v", err)
	}
}

func follow(t *testing.T, s *segue, upload string) {
	t.Helper()
	var seen []ingest.Status
	last, err := s.Follow(t.Context(), upload, time.Millisecond, func(st client.Status) {
		seen = append(seen, st.Status)
		switch st.Status {
		case ingest.Waiting:
			s.settle(t, ingest.Upload{ID: upload, Status: ingest.Processing})
		case ingest.Processing:
			s.settle(t, ingest.Upload{ID: upload, Status: ingest.Duplicate, Reason: "the same file", DuplicateOf: "t"})
		}
	})
	want := client.Status{ID: upload, Status: ingest.Duplicate, Reason: "the same file", DuplicateOf: "t", Progress: 1}
	if err != nil || !reflect.DeepEqual(last, want) || !slices.Equal(seen, []ingest.Status{ingest.Waiting, ingest.Processing, ingest.Duplicate}) {
		t.Errorf("followed %v to %+v, %v", seen, last, err)
	}
}

func refusals(t *testing.T, s *segue) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	var e *client.Error
	_, err := s.Upload(t.Context(), file, client.Announcement{Filename: "a.txt", ContentType: "text/plain"})
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !strings.HasPrefix(err.Error(), `a.txt: announce: 400: content_type "text/plain" is none of`) {
		t.Errorf("a bad type: %v", err)
	}
	if _, err := s.Upload(t.Context(), file+"x", client.Announcement{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	got, err := s.Upload(t.Context(), file, client.Announcement{Filename: "a.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Follow(ctx, got.ID, time.Hour, func(client.Status) { cancel() })
	if !errors.Is(err, context.Canceled) || err.Error() != "upload "+got.ID+" is still waiting: context canceled" {
		t.Errorf("given up: %v", err)
	}
	s.Token = s.token("other")
	_, err = s.Follow(t.Context(), got.ID, time.Hour, func(client.Status) { t.Error("another label's upload is seen") })
	if !errors.As(err, &e) || e.Status != http.StatusNotFound {
		t.Errorf("another label's: %v", err)
	}
	lost := errors.New("no token")
	s.Token = func() (string, error) { return "", lost }
	if err := s.Call(t.Context(), http.MethodGet, "/v1/uploads/x", nil, nil); !errors.Is(err, lost) {
		t.Errorf("no token: %v", err)
	}
}

func TestCallReadsAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		answer string
		want   string // the error
	}{
		"an answer":          {http.StatusOK, `{"id": "x", "unknown": 1}`, ""},
		"an error":           {http.StatusForbidden, `{"error": {"status": 403, "message": "no", "reason": "premium_required"}}`, "403: no"},
		"a proxy's error":    {http.StatusBadGateway, "<html>", "POST /v1/x: 502: Bad Gateway"},
		"an error of no one": {http.StatusInternalServerError, "{}", "POST /v1/x: 500: Internal Server Error"},
		"no JSON":            {http.StatusOK, "<html>", "invalid character '<' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				if string(b) != `{"a":1}` || r.Header.Get("Authorization") != "Bearer t" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("called with %s, %v", b, r.Header)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			t.Cleanup(server.Close)
			k := client.Client{BaseURL: server.URL, HTTP: server.Client(), Token: func() (string, error) { return "t", nil }}
			var out client.Status
			err := k.Call(t.Context(), http.MethodPost, "/v1/x", map[string]int{"a": 1}, &out)
			if c.want == "" {
				if err != nil || out.ID != "x" {
					t.Errorf("%+v, %v", out, err)
				}
				if err := k.Call(t.Context(), http.MethodPost, "/v1/x", map[string]int{"a": 1}, nil); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
