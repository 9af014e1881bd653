package transcode

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// world is a transcoder with stores of its own, and an accepted upload.
type world struct {
	Deps
	topics *pubsub.Client
	upload *ingest.Upload
	faults *faults
}

// The source: not a whole number of samples at the rate of the renditions.
const (
	sourceRate    = 48000
	sourceSamples = 105601
	total         = 97021 // samples of a rendition
)

func newWorld(t *testing.T) *world {
	t.Helper()
	source, err := os.ReadFile(ingesttest.Audio(t, "anoisesrc=d=3:r=48000:a=0.3,atrim=end_sample=105601", "-ac", "2", "a.flac"))
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, source)
}

func newWorldOf(t *testing.T, source []byte) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := playback.OpenKeyset(t.Context(), keyset, kek)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{topics: topics, faults: new(faults)}
	w.Deps = Deps{
		Writer: writer, Keys: keys, Cipher: playback.AES128CTR, Now: time.Now, NewID: id.Random,
		Uploads: w.faults.bucket(t), Audio: w.faults.bucket(t),
	}
	w.upload = ingesttest.Announce(t, writer.Spanner, ingest.Upload{}, len(source))
	generation := ingesttest.Put(t, w.Uploads, w.upload.Object, source)
	ingesttest.Accept(t, writer.Spanner, w.upload, generation, sourceSamples, sourceRate)
	return w
}

// faults lies between the work and the buckets: a test can hold or break it.
type faults struct {
	mu   sync.Mutex
	hook func(*http.Request) error
}

func (w *faults) set(hook func(*http.Request) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

// RoundTrip sends what the hook lets pass.
func (w *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		if err := hook(r); err != nil {
			return nil, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *faults) bucket(t *testing.T) *storage.BucketHandle {
	t.Helper()
	name := emutest.Bucket(t).BucketName()
	client, err := storage.NewClient(context.Background(), option.WithHTTPClient(&http.Client{
		Transport: gcp.Bearer{Token: os.Getenv("SEGUE_STORAGE_BEARER"), Base: w},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client.Bucket(name)
}

var (
	ogg = playback.Rendition{Format: playback.Ogg, Bitrate: playback.Low}
	aac = playback.Rendition{Format: playback.AAC, Bitrate: playback.High}
)

func (w *world) request(r playback.Rendition) *eventpb.TranscodeRequested {
	return &eventpb.TranscodeRequested{
		UploadId: w.upload.ID, TrackId: w.upload.TrackID, Object: w.upload.Object, Generation: w.upload.Generation,
		Format: string(r.Format), Bitrate: int32(r.Bitrate), SourceSamples: sourceSamples, SourceSampleRate: sourceRate,
	}
}

func (w *world) attempts(t *testing.T) []*ingest.Attempt {
	t.Helper()
	return ingesttest.Attempts(t, w.Writer.Spanner, w.upload.TrackID)
}

func (w *world) ready(t *testing.T) []*eventpb.RenditionReady {
	t.Helper()
	return ingesttest.Events[*eventpb.RenditionReady](t, w.topics)
}

// complete asks for one complete attempt with its three objects and its event.
func (w *world) complete(t *testing.T) *ingest.Attempt {
	t.Helper()
	all, objects, events := w.attempts(t), ingesttest.Objects(t, w.Audio), w.ready(t)
	if len(all) != 1 || all[0].State != ingest.Complete || len(objects) != 3 || len(events) != 1 || events[0].GetAttemptId() != all[0].ID {
		t.Fatalf("attempts %+v, objects %q, events %v", all, objects, events)
	}
	return all[0]
}

// nothing asks that no attempt is left.
func (w *world) nothing(t *testing.T) {
	t.Helper()
	if all, objects, events := w.attempts(t), ingesttest.Objects(t, w.Audio), w.ready(t); len(all)+len(objects)+len(events) > 0 {
		t.Errorf("attempts %+v, objects %q, events %v", all, objects, events)
	}
	ingesttest.Rows(t, w.Writer.Spanner, map[string]int64{"Outbox": 0})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
