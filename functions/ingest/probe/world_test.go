package probe

import (
	"os"
	"strconv"
	"testing"

	"cloud.google.com/go/pubsub/v2"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// world is a probe with stores of its own.
type world struct {
	Deps
	topics *pubsub.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	return &world{Deps: Deps{Writer: writer, Uploads: emutest.Bucket(t), Images: emutest.Bucket(t), NewID: id.Random}, topics: topics}
}

// upload announces a file and sends it.
func (w *world) upload(t *testing.T, u ingest.Upload, file string) (*ingest.Upload, event.Finalized) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	announced := ingesttest.Announce(t, w.Writer.Spanner, u, len(content))
	return announced, w.put(t, announced.Object, content)
}

func (w *world) put(t *testing.T, object string, content []byte) event.Finalized {
	t.Helper()
	generation := ingesttest.Put(t, w.Uploads, object, content)
	return event.Finalized{Bucket: w.Uploads.BucketName(), Object: object, Generation: strconv.FormatInt(generation, 10)}
}

// deliver runs the probe and reads what became of the upload.
func (w *world) deliver(t *testing.T, n event.Finalized) *ingest.Upload {
	t.Helper()
	if err := Probe(t.Context(), n, w.Deps); err != nil {
		t.Fatal(err)
	}
	return ingesttest.Read(t, w.Writer.Spanner, n.Object[len(ingest.Prefix):])
}

// requested are the events that were published since the last call.
func (w *world) requested(t *testing.T) []*eventpb.TranscodeRequested {
	t.Helper()
	return ingesttest.Events[*eventpb.TranscodeRequested](t, w.topics)
}

// rows asks for the number of rows of each table.
func (w *world) rows(t *testing.T, want map[string]int64) {
	t.Helper()
	ingesttest.Rows(t, w.Writer.Spanner, want)
}
