package telemetry_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/storage"
	ce "github.com/cloudevents/sdk-go/v2/event"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	_ "github.com/segue-audio/segue/functions/all"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// record installs telemetry that a test can look at.
func record(t *testing.T) (*telemetry.Telemetry, *tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	t.Helper()
	spans, points := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tel, err := telemetry.New(resource.Empty(), spans, points, 1)
	if err != nil {
		t.Fatal(err)
	}
	tel.Install()
	t.Cleanup(func() { _ = tel.Shutdown(context.WithoutCancel(t.Context())) })
	return tel, spans, points
}

func function(t *testing.T, name string) registry.Function {
	t.Helper()
	for _, f := range registry.All() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no function %s", name)
	return registry.Function{}
}

// deliver gives a function a message, as the Functions Framework does.
func deliver(t *testing.T, name, topic string, m *pubsubpb.PubsubMessage) error {
	t.Helper()
	e := ce.New()
	e.SetID(m.GetMessageId())
	e.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	e.SetSource("//pubsub.googleapis.com/projects/p/topics/" + topic)
	err := e.SetData(ce.ApplicationJSON, map[string]any{
		"subscription": "projects/p/subscriptions/" + name,
		"message":      map[string]any{"data": m.GetData(), "attributes": m.GetAttributes(), "messageId": m.GetMessageId()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return function(t, name).CloudEvent(t.Context(), e)
}

func flac(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.flac")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=1", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// world is the environment of all functions, on stores of their own.
type world struct {
	issuer  *identity.Issuer
	uploads *storage.BucketHandle
}

// Not parallel: functions find their stores through the environment, and spans
// their exporter through the process.
func TestOneTraceFromUploadToPlayable(t *testing.T) {
	client, topics, uploads := emutest.Database(t), emutest.Topics(t), emutest.Bucket(t)
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.test", Audience: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	jwks := httptest.NewServer(issuer.JWKS())
	t.Cleanup(jwks.Close)
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"SEGUE_PROJECT": topics.Project(), "SEGUE_SPANNER_DATABASE": client.DatabaseName(), "SEGUE_TOKEN_ISSUER": "https://accounts.test",
		"SEGUE_TOKEN_AUDIENCE": "https://api.test", "SEGUE_JWKS_URL": jwks.URL, "SEGUE_UPLOADS_BUCKET": uploads.BucketName(), "SEGUE_IMAGES_URL": "https://img.test", "SEGUE_IMAGES_BUCKET": emutest.Bucket(t).BucketName(),
		"SEGUE_AUDIO_BUCKET": emutest.Bucket(t).BucketName(), "SEGUE_KEYSET": keyset, "SEGUE_KEYSET_KEK": kek,
	} {
		t.Setenv(k, v)
	}
	tel, exporter, _ := record(t)
	w := world{issuer: issuer, uploads: uploads}
	upload := w.upload(t, flac(t))

	if err := deliver(t, "ingest-probe", "upload-finalized", w.notification(t, upload)); err != nil {
		t.Fatal(err)
	}
	renditions := len(playback.Renditions())
	for _, step := range []struct {
		topic, function string
		messages        int
	}{
		{"transcode-requested", "ingest-transcode", renditions},
		{"analysis-requested", "ingest-analyze", 1},
		{"rendition-ready", "ingest-publish", renditions},
		{"track-analyzed", "ingest-publish", 1},
	} {
		all := emutest.Received(t, topics, step.topic)
		if len(all) != step.messages {
			t.Fatalf("%d messages on %s", len(all), step.topic)
		}
		for _, m := range all {
			if err := deliver(t, step.function, step.topic, m.GetMessage()); err != nil {
				t.Fatalf("%s: %v", step.function, err)
			}
		}
	}
	u, err := ingest.Read(t.Context(), client.Single(), upload)
	if err != nil || u.Status != ingest.Playable {
		t.Fatalf("the upload is %+v, %v", u, err)
	}
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, exporter.GetSpans(), renditions)
}

// upload announces a file and sends it, as a label does.
func (w world) upload(t *testing.T, file []byte) string {
	t.Helper()
	token, err := w.issuer.AccessToken(identity.Claims{Subject: "label", ClientID: "c", Scopes: []string{"catalog-write"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/uploads",
		strings.NewReader(`{"filename": "a.flac", "content_type": "audio/flac", "size": `+strconv.Itoa(len(file))+`}`))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	function(t, "ingest-upload").HTTP(rec, r)
	var created struct{ ID string }
	if err := json.Unmarshal(rec.Body.Bytes(), &created); err != nil || rec.Code != http.StatusCreated {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	o := w.uploads.Object(ingest.Prefix + created.ID).NewWriter(t.Context())
	o.ContentType = "audio/flac"
	if _, err := o.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return created.ID
}

// notification is Cloud Storage's, which carries no trace.
func (w world) notification(t *testing.T, upload string) *pubsubpb.PubsubMessage {
	t.Helper()
	attrs, err := w.uploads.Object(ingest.Prefix + upload).Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &pubsubpb.PubsubMessage{MessageId: "1", Attributes: map[string]string{
		"eventType": "OBJECT_FINALIZE", "bucketId": attrs.Bucket, "objectId": attrs.Name, "objectGeneration": strconv.FormatInt(attrs.Generation, 10),
	}}
}

// check follows the chain of spans from its begin to its end.
func check(t *testing.T, spans tracetest.SpanStubs, renditions int) {
	t.Helper()
	count := map[string]int{}
	byID := map[trace.SpanID]tracetest.SpanStub{}
	for _, s := range spans {
		count[s.Name]++
		byID[s.SpanContext.SpanID()] = s
	}
	for name, want := range map[string]int{
		"POST /v1/uploads": 1, "process ingest-probe": 1, "send transcode-requested": renditions, "process ingest-transcode": renditions,
		"send analysis-requested": 1, "process ingest-analyze": 1, "send track-analyzed": 1,
		"send rendition-ready": renditions, "process ingest-publish": renditions + 1, "send catalog-changed": 2, "ffmpeg": 2 + renditions,
	} {
		if count[name] != want {
			t.Errorf("%d spans %q, want %d (of %v)", count[name], name, want, count)
		}
	}
	// What is above each span, by their names up to the first.
	parents := map[string]string{
		"process ingest-probe": "POST /v1/uploads", "send transcode-requested": "process ingest-probe",
		"process ingest-transcode": "send transcode-requested", "send rendition-ready": "process ingest-transcode",
		"send analysis-requested": "process ingest-probe", "process ingest-analyze": "send analysis-requested", "send track-analyzed": "process ingest-analyze",
		"process ingest-publish": "send rendition-ready or send track-analyzed", "send catalog-changed": "process ingest-publish",
	}
	taken := map[trace.SpanID]bool{}
	var id trace.TraceID
	for _, s := range spans {
		if s.Name == "POST /v1/uploads" {
			id = s.SpanContext.TraceID()
			if s.Parent.IsValid() {
				t.Errorf("the trace does not begin with the upload: %+v", s.Parent)
			}
		}
	}
	for _, s := range spans {
		if s.SpanContext.TraceID() != id {
			t.Errorf("%q is in a trace of its own", s.Name)
		}
		above, known := byID[s.Parent.SpanID()]
		if !known && s.Name != "POST /v1/uploads" {
			t.Errorf("%q hangs in the air", s.Name)
		}
		if want, ok := parents[s.Name]; ok && !slices.Contains(strings.Split(want, " or "), above.Name) {
			t.Errorf("%q is below %q, want %q", s.Name, above.Name, want)
		}
		if s.SpanKind == trace.SpanKindConsumer && taken[s.Parent.SpanID()] {
			t.Errorf("%q shares its publisher's span with another", s.Name)
		} else if s.SpanKind == trace.SpanKindConsumer {
			taken[s.Parent.SpanID()] = true
		}
		if (s.Name == "ffmpeg" || s.Name == "ffprobe") && above.SpanKind != trace.SpanKindConsumer {
			t.Errorf("%q is below %q", s.Name, above.Name)
		}
	}
	checkClients(t, count)
}

// checkClients: the stores' calls are seen, Pub/Sub's once, as producer spans.
func checkClients(t *testing.T, count map[string]int) {
	t.Helper()
	seen := map[string]bool{}
	for name := range count {
		for _, part := range []string{"cloud.google.com/go/spanner.", "google.spanner.v1.Spanner/Commit", "storage.", "HTTP", "google.pubsub"} {
			if strings.Contains(name, part) {
				seen[part] = true
			}
		}
	}
	for part, want := range map[string]bool{
		"cloud.google.com/go/spanner.": true, "google.spanner.v1.Spanner/Commit": true, "storage.": true, "HTTP": true, "google.pubsub": false,
	} {
		if seen[part] != want {
			t.Errorf("spans of %q: %v, want %v (of %v)", part, seen[part], want, count)
		}
	}
}
