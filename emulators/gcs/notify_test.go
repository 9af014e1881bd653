package gcs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/gcs"
)

// inbox is a Pub/Sub that fails as often as it is told to.
type inbox struct {
	mu       sync.Mutex
	failures int
	messages []message
}

type message struct {
	topic string
	data  []byte
	attrs map[string]string
}

func (i *inbox) publish(_ context.Context, topic string, data []byte, attrs map[string]string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failures > 0 {
		i.failures--
		return errors.New("unavailable")
	}
	i.messages = append(i.messages, message{topic, data, attrs})
	return nil
}

// wait returns the messages, ordered by event, object and generation, once
// there are n.
func (i *inbox) wait(t *testing.T, n int) []message {
	t.Helper()
	var got []message
	eventually(t, strconv.Itoa(n)+" notifications", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		got = slices.Clone(i.messages)
		return len(got) >= n
	})
	slices.SortFunc(got, func(a, b message) int {
		order := func(m message) string {
			return m.attrs["eventType"] + m.attrs["objectId"] + m.attrs["objectGeneration"]
		}
		return strings.Compare(order(a), order(b))
	})
	return got
}

func notified(t *testing.T, in *inbox, n *storage.Notification) (*gcs.Emulator, *storage.BucketHandle) {
	t.Helper()
	e := start(t, func(o *gcs.Options) {
		o.Publish = in.publish
		o.Now = func() time.Time { return time.Now().Truncate(time.Microsecond) }
	})
	b := client(t, e).Bucket(bucket)
	if n.TopicID == "" {
		n.TopicProjectID, n.TopicID, n.PayloadFormat = "other-project", "uploads", storage.JSONPayload
	}
	if _, err := b.AddNotification(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return e, b
}

func TestEveryUploadIsAnnounced(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, b := notified(t, in, &storage.Notification{EventTypes: []string{storage.ObjectFinalizeEvent}, CustomAttributes: map[string]string{"origin": "test"}})
	do(t, "PUT", sign(t, e, "PUT", "in/signed one", func(o *storage.SignedURLOptions) { o.ContentType = flac }), strings.NewReader("signed"), "Content-Type:"+flac).want(t, 200, "")
	if _, err := write(t.Context(), b.Object("in/json"), []byte("json!!"), func(w *storage.Writer) { w.ContentType = flac }); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Object("in/zcopy").CopierFrom(b.Object("in/json")).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := in.wait(t, 3)
	for i, name := range []string{"in/json", "in/signed one", "in/zcopy"} {
		attrs, err := b.Object(name).Attrs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		generation := strconv.FormatInt(attrs.Generation, 10)
		m := got[i]
		if at, err := time.Parse(time.RFC3339Nano, m.attrs["eventTime"]); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("eventTime is %q", m.attrs["eventTime"])
		}
		delete(m.attrs, "eventTime")
		want := map[string]string{
			"notificationConfig": "projects/_/buckets/" + bucket + "/notificationConfigs/1",
			"eventType":          "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1",
			"bucketId": bucket, "objectId": name, "objectGeneration": generation, "origin": "test",
		}
		if !maps.Equal(m.attrs, want) || m.topic != "projects/other-project/topics/uploads" {
			t.Errorf("to %s with %v, want %v", m.topic, m.attrs, want)
		}
		var r map[string]any
		if err := json.Unmarshal(m.data, &r); err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]any{
			"kind": "storage#object", "id": bucket + "/" + name + "/" + generation, "name": name, "bucket": bucket,
			"generation": generation, "metageneration": "1", "size": "6", "contentType": flac, "etag": attrs.Etag,
		} {
			if r[k] != v {
				t.Errorf("%s of %s is %v, want %v", k, name, r[k], v)
			}
		}
	}
}

func TestOverwritingAndDeletingAreAnnounced(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	_, b := notified(t, in, &storage.Notification{})
	first, err := write(t.Context(), b.Object("a"), []byte("1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := write(t.Context(), b.Object("a"), []byte("2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Object("a").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	g1, g2 := strconv.FormatInt(first.Generation, 10), strconv.FormatInt(second.Generation, 10)
	want := []map[string]string{
		{"eventType": "OBJECT_DELETE", "objectGeneration": g1, "overwrittenByGeneration": g2},
		{"eventType": "OBJECT_DELETE", "objectGeneration": g2},
		{"eventType": "OBJECT_FINALIZE", "objectGeneration": g1},
		{"eventType": "OBJECT_FINALIZE", "objectGeneration": g2, "overwroteGeneration": g1},
	}
	for i, m := range in.wait(t, 4) {
		maps.DeleteFunc(m.attrs, func(k, _ string) bool { return !strings.HasSuffix(k, "Generation") && k != "eventType" })
		if !maps.Equal(m.attrs, want[i]) {
			t.Errorf("%v, want %v", m.attrs, want[i])
		}
	}
}

func TestAnnouncementsAreRetried(t *testing.T) {
	t.Parallel()
	in := &inbox{failures: 3}
	_, b := notified(t, in, &storage.Notification{})
	if _, err := write(t.Context(), b.Object("a"), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	in.wait(t, 1)
}

func TestStopDeliversWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	in := &inbox{failures: 2}
	e, b := notified(t, in, &storage.Notification{})
	if _, err := write(t.Context(), b.Object("a"), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	stop(t, e)
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.messages) != 1 {
		t.Fatalf("%d notifications after Stop", len(in.messages))
	}
}

func TestConfigsChooseWhatIsAnnounced(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, b := notified(t, in, &storage.Notification{
		TopicProjectID: "p", TopicID: "t", PayloadFormat: storage.NoPayload,
		ObjectNamePrefix: "in/", EventTypes: []string{storage.ObjectFinalizeEvent},
	})
	all, err := b.Notifications(t.Context())
	if err != nil || len(all) != 1 || all["1"] == nil || all["1"].TopicID != "t" || all["1"].ObjectNamePrefix != "in/" {
		t.Fatalf("configs %v, %v", all, err)
	}
	for _, n := range []string{"out/a", "in/b"} {
		if _, err := write(t.Context(), b.Object(n), []byte("1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Object("in/b").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteNotification(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := write(t.Context(), b.Object("in/c"), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	stop(t, e) // nothing is under way any more
	got := in.wait(t, 1)
	if len(got) != 1 || got[0].attrs["objectId"] != "in/b" || len(got[0].data) != 0 {
		t.Fatalf("announced %+v", got)
	}
}

func TestARefusedUploadIsNotAnnounced(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, b := notified(t, in, &storage.Notification{})
	if _, err := write(t.Context(), b.Object("a"), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := write(t.Context(), b.Object("a").If(storage.Conditions{DoesNotExist: true}), []byte("2"), nil); status(err) != 412 {
		t.Fatal(err)
	}
	stop(t, e)
	if got := in.wait(t, 1); len(got) != 1 {
		t.Fatalf("announced %+v", got)
	}
}

func TestTheNextRunHasWhatTheLastOneHad(t *testing.T) {
	t.Parallel()
	dir, in := t.TempDir(), &inbox{}
	options := func(o *gcs.Options) { o.Dir, o.Publish = dir, in.publish }
	e := start(t, options)
	b := client(t, e).Bucket(bucket)
	if _, err := b.AddNotification(t.Context(), &storage.Notification{TopicProjectID: "p", TopicID: "t", PayloadFormat: storage.JSONPayload}); err != nil {
		t.Fatal(err)
	}
	before, err := write(t.Context(), b.Object("a/b"), []byte("kept"), func(w *storage.Writer) { w.Metadata = map[string]string{"k": "v"} })
	if err != nil {
		t.Fatal(err)
	}
	in.wait(t, 1)
	stop(t, e)

	// A run that was killed leaves a spool file, and content whose attributes
	// it did not come to write.
	torn := []string{filepath.Join(dir, "spool", "upload-1"), filepath.Join(dir, "objects", bucket, "a", ".b123")}
	for _, f := range torn {
		if err := os.WriteFile(f, []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e = start(t, options)
	b = client(t, e).Bucket(bucket)
	after, err := b.Object("a/b").Attrs(t.Context())
	if err != nil || after.Generation != before.Generation || after.Metadata["k"] != "v" {
		t.Fatalf("%+v, %v", after, err)
	}
	if got := read(t, b.Object("a/b")); !bytes.Equal(got, []byte("kept")) {
		t.Errorf("read %q", got)
	}
	if got := list(t, b, nil); len(got) != 1 {
		t.Errorf("listed %q", got)
	}
	for _, f := range torn {
		if _, err := os.Stat(f); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", f, err)
		}
	}
	if _, err := write(t.Context(), b.Object("c"), []byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	in.wait(t, 2)
}
