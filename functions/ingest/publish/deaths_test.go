package publish

import (
	"os"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/functions/ingest/probe"
	"github.com/segue-audio/segue/functions/ingest/transcode"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

// One upload on its way, on which each function dies at each of its points once
// and is then delivered the event again: in the end the track is playable, no
// key and no folder was used twice, and what the dead left is gone.
func TestDeaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uploads := emutest.Bucket(t)
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := playback.OpenKeyset(t.Context(), keyset, kek)
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{
		"SEGUE_PROJECT=" + w.topics.Project(), "SEGUE_SPANNER_DATABASE=" + w.Writer.Spanner.DatabaseName(), "SEGUE_KEYSET=" + keyset, "SEGUE_KEYSET_KEK=" + kek,
		"SEGUE_UPLOADS_BUCKET=" + uploads.BucketName(), "SEGUE_AUDIO_BUCKET=" + w.Audio.BucketName(), "SEGUE_IMAGES_BUCKET=" + emutest.Bucket(t).BucketName(),
	}
	content, err := os.ReadFile(ingesttest.Audio(t, "sine=440:d=1", "a.flac"))
	if err != nil {
		t.Fatal(err)
	}
	u := ingesttest.Announce(t, w.Writer.Spanner, ingest.Upload{}, len(content))
	generation := strconv.FormatInt(ingesttest.Put(t, uploads, u.Object, content), 10)

	// The probe dies between publishing and forgetting: its events come twice.
	die(t, environment, "ingest-probe", nil, map[string]string{
		"eventType": "OBJECT_FINALIZE", "bucketId": uploads.BucketName(), "objectId": u.Object, "objectGeneration": generation,
	}, "outbox:published")
	finalized := event.Finalized{Bucket: uploads.BucketName(), Object: u.Object, Generation: generation}
	if err := probe.Probe(t.Context(), finalized, probe.Deps{Writer: w.Writer, Uploads: uploads, NewID: id.Random}); err != nil {
		t.Fatal(err)
	}
	w.relay(t, 7)
	u = ingesttest.Read(t, w.Writer.Spanner, u.ID)
	ingesttest.Analyze(t, w.Writer.Spanner, u.TrackID, 1, -1)
	requests := ingesttest.Events[*eventpb.TranscodeRequested](t, w.topics)
	if len(requests) != 12 {
		t.Fatalf("%d requests, want each of six twice", len(requests))
	}

	// The work on each rendition dies elsewhere, that on the last not at all.
	points := []string{"transcode:leased", "transcode:data-written", "transcode:objects-written", "outbox:committed", "outbox:published"}
	for i, point := range points {
		for _, m := range requests {
			if r := playback.Renditions()[i]; m.GetFormat() == string(r.Format) && m.GetBitrate() == int32(r.Bitrate) {
				die(t, environment, "ingest-transcode", m, nil, point)
				break
			}
		}
	}
	dead := ingesttest.Attempts(t, w.Writer.Spanner, u.TrackID)
	later := func() time.Time { return time.Now().Add(time.Minute) } // the leases of the dead are over
	d := transcode.Deps{Writer: w.Writer, Keys: keys, Cipher: playback.AES128CTR, Now: later, NewID: id.Random, Uploads: uploads, Audio: w.Audio}
	for _, m := range requests {
		if err := transcode.Transcode(t.Context(), m, d); err != nil {
			t.Fatal(err)
		}
	}
	attempts := ingesttest.Attempts(t, w.Writer.Spanner, u.TrackID)
	if len(dead) != 5 || len(attempts) != 9 {
		t.Fatalf("%d dead, %d attempts in all; want 5, and 3 of them done again beside one that was the first", len(dead), len(attempts))
	}
	seen := map[string]bool{}
	for _, a := range attempts {
		key, err := keys.Unwrap(a.WrappedKey, a.Binding())
		if err != nil || seen[string(key)] || seen[a.Folder] {
			t.Errorf("attempt %s has another's key or folder: %v", a.ID, err)
		}
		seen[string(key)], seen[a.Folder] = true, true
	}
	w.relay(t, 2)
	events := ingesttest.Events[*eventpb.RenditionReady](t, w.topics)
	if len(events) != 7 {
		t.Fatalf("%d events of six renditions, want one of them twice", len(events))
	}

	// The clock of a process of its own cannot be set: the leases of the dead end here.
	var over []*spanner.Mutation
	for _, a := range attempts {
		if a.State == ingest.Leased {
			over = append(over, spanner.Update("RenditionAttempts", []string{"TrackId", "Format", "Bitrate", "AttemptId", "LeaseUntil"},
				[]any{a.TrackID, string(a.Format), int64(a.Bitrate), a.ID, time.Now().Add(-time.Minute)}))
		}
	}
	if _, err := w.Writer.Spanner.Apply(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	// Publish dies before it tells of the track, then before it cleans up.
	die(t, environment, "ingest-publish", events[0], nil, "outbox:committed")
	w.relay(t, 2)
	die(t, environment, "ingest-publish", events[0], nil, "publish:committed")
	if n := len(ingesttest.Attempts(t, w.Writer.Spanner, u.TrackID)); n != 9 {
		t.Errorf("%d attempts were left by a publish that died before it cleaned up, want 9", n)
	}
	w.Now = later
	for _, m := range events {
		w.deliver(t, m)
	}
	var want []*ingest.Attempt
	for _, a := range attempts {
		if a.State == ingest.Complete {
			want = append(want, a)
		}
	}
	w.published(t, u, want)
}

// relay asks how many events were left in the outbox, and publishes them.
func (w *world) relay(t *testing.T, want int) {
	t.Helper()
	if n, err := w.Writer.Relay(t.Context(), time.Now().Add(2*time.Minute)); n != want || err != nil {
		t.Errorf("relayed %d, %v; want %d", n, err, want)
	}
}
