package cleanup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/registry"
)

// dueVariable makes of the test's program a run of the function, as it is wired,
// that was due at a time.
const dueVariable = "SEGUE_TEST_DUE"

func TestMain(m *testing.M) {
	if due := os.Getenv(dueVariable); due != "" {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set("X-CloudScheduler-ScheduleTime", due)
		w := httptest.NewRecorder()
		registry.All()[0].HTTP(w, r)
		fmt.Println(w.Body)
		if w.Code != http.StatusOK {
			os.Exit(1)
		}
		os.Exit(0)
	}
	emutest.Main(m)
}

// world is a clean-up with stores of its own, a day and an hour on.
type world struct {
	Deps
	writer *event.Writer
	topics *pubsub.Client
	hooks  *hooks // before the clean-up's own requests to buckets
}

func newWorld(t *testing.T) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	w := &world{writer: writer, topics: topics, hooks: new(hooks)}
	w.Deps = Deps{
		Spanner: writer.Spanner, Uploads: w.hooks.bucket(t), Audio: w.hooks.bucket(t), Images: w.hooks.bucket(t),
		Now: func() time.Time { return time.Now().Add(25 * time.Hour) }, Within: time.Minute, page: 2,
	}
	return w
}

// hooks lets a test do something before a request of the clean-up is sent.
type hooks struct {
	mu      sync.Mutex
	hook    func(*http.Request)
	refused string // the object that cannot be deleted
}

func (h *hooks) set(hook func(*http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hook = hook
}

func (h *hooks) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	hook := h.hook
	h.mu.Unlock()
	if hook != nil {
		hook(r)
	}
	if h.refused != "" && r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, h.refused) {
		return nil, errors.New("refused by the test")
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (h *hooks) bucket(t *testing.T) *storage.BucketHandle {
	t.Helper()
	return h.over(t, emutest.Bucket(t).BucketName())
}

// over is a handle on a bucket whose requests go through the hooks.
func (h *hooks) over(t *testing.T, name string) *storage.BucketHandle {
	t.Helper()
	client, err := storage.NewClient(context.Background(), option.WithHTTPClient(&http.Client{
		Transport: gcp.Bearer{Token: os.Getenv("SEGUE_STORAGE_BEARER"), Base: h},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client.Bucket(name)
}

// clean runs it and asks for what it counted; what is not named is 0.
func (w *world) clean(t *testing.T, want map[string]int) {
	t.Helper()
	got, err := Clean(t.Context(), w.Deps)
	if err != nil {
		t.Error(err)
	}
	for name, n := range got {
		if n != want[name] {
			t.Errorf("%s: %d, want %d", name, n, want[name])
		}
	}
}

// die runs the function in a process that ends at a point.
func (w *world) die(t *testing.T, point string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", dueVariable+"="+w.Now().Format(time.RFC3339), crash.Variable+"="+point,
		"SEGUE_PROJECT=test", "SEGUE_SPANNER_DATABASE="+w.Spanner.DatabaseName(), "SEGUE_UPLOADS_BUCKET="+w.Uploads.BucketName(),
		"SEGUE_AUDIO_BUCKET="+w.Audio.BucketName(), "SEGUE_IMAGES_BUCKET="+w.Images.BucketName())
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != crash.Status || !bytes.Contains(out, []byte("crash at "+point)) {
		t.Fatalf("it did not die at %s, but ended with %v: %s", point, err, out)
	}
}

// track is an upload that was accepted.
func (w *world) track(t *testing.T) *ingest.Upload {
	t.Helper()
	u := ingesttest.Announce(t, w.Spanner, ingest.Upload{}, 1)
	ingesttest.Accept(t, w.Spanner, u, 1, 88200, 44100)
	ingesttest.Analyze(t, w.Spanner, u.TrackID, 1, -3.5)
	return u
}

// objects asks that a bucket holds these folders or objects, and no more.
func objects(t *testing.T, bucket *storage.BucketHandle, want ...string) {
	t.Helper()
	var got []string
	for _, name := range ingesttest.Objects(t, bucket) {
		for _, w := range want {
			if strings.HasSuffix(w, "/") && strings.HasPrefix(name, w) {
				name = w
			}
		}
		if !slices.Contains(got, name) {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("objects %q, want %q", got, want)
	}
}

func apply(t *testing.T, c *spanner.Client, m ...*spanner.Mutation) {
	t.Helper()
	if _, err := c.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}
