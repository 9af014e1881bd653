package harness

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
	"github.com/segue-audio/segue/shared/playback"
)

func put(t *testing.T, bucket *storage.BucketHandle, name, body string) int64 {
	t.Helper()
	w := bucket.Object(name).NewWriter(t.Context())
	w.ChunkSize = 0
	_, err := w.Write([]byte(body))
	if cerr := w.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return w.Attrs().Generation
}

func addUpload(t *testing.T, client *spanner.Client, id string, status ingest.Status, generation int64, track string) {
	t.Helper()
	insert(t, client, "Uploads", map[string]any{
		"UploadId": id, "LabelId": "l", "Object": ingest.Prefix + id, "Filename": id, "ContentType": "audio/flac", "Size": 3, "AllowDuplicate": false,
		"Metadata": "{}", "Status": string(status), "Reason": "", "ExpiresAt": time.Now(), "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		"Generation": spanner.NullInt64{Int64: generation, Valid: generation != 0}, "TrackId": spanner.NullString{StringVal: track, Valid: track != ""},
	})
}

func addTrack(t *testing.T, client *spanner.Client, id, upload, state string) {
	t.Helper()
	insert(t, client, "Tracks", map[string]any{
		"TrackId": id, "LabelId": "l", "AlbumId": "album", "UploadId": upload, "State": state, "Title": id, "DiscNumber": 1, "TrackNumber": 1, "DurationMs": 1,
		"Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": []byte(id), "SourceSamples": 441, "SourceSampleRate": 44100,
		"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	})
}

func addAttempt(t *testing.T, client *spanner.Client, track, id, state string, r playback.Rendition, published bool) {
	t.Helper()
	row := map[string]any{
		"TrackId": track, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "AttemptId": id, "Folder": "audio/" + id + "/", "Cipher": "aes-128-ctr", "WrappedKey": []byte{1},
		"Size": 4, "Sha256": []byte{1}, "HeadSize": 1, "EncoderDelay": 0, "TotalSamples": 1, "SampleRate": 44100, "SeekSize": 2,
	}
	if published {
		row["DurationMs"], row["Markets"], row["PublishedAt"] = 1, []string{}, spanner.CommitTimestamp
		insert(t, client, "Renditions", row)
		delete(row, "DurationMs")
		delete(row, "Markets")
		delete(row, "PublishedAt")
	}
	row["State"], row["LeaseUntil"], row["CreatedAt"] = state, time.Now().Add(time.Hour), spanner.CommitTimestamp
	insert(t, client, "RenditionAttempts", row)
}

func TestNothingIsStuckAfterARestore(t *testing.T) {
	t.Parallel()
	writer, topics := emutest.Writer(t)
	uploads := emutest.Bucket(t)
	client := writer.Spanner
	renditions := playback.Renditions()

	addUpload(t, client, "no-object", ingest.Waiting, 0, "")
	addUpload(t, client, "waiting", ingest.Waiting, 0, "")
	waiting := put(t, uploads, ingest.Prefix+"waiting", "abc")
	addUpload(t, client, "processing", ingest.Processing, put(t, uploads, ingest.Prefix+"processing", "abc"), "t1")
	addTrack(t, client, "t1", "processing", "processing")
	addAttempt(t, client, "t1", "done", ingest.Complete, renditions[2], false)
	addAttempt(t, client, "t1", "died", ingest.Leased, renditions[3], false)
	addUpload(t, client, "analyzed", ingest.Processing, put(t, uploads, ingest.Prefix+"analyzed", "abc"), "t5")
	addTrack(t, client, "t5", "analyzed", "processing")
	ingesttest.Analyze(t, client, "t5", 3, 0)
	for _, r := range renditions {
		addAttempt(t, client, "t5", "t5"+string(r.Format)+r.Bitrate.String(), ingest.Complete, r, false)
	}
	addUpload(t, client, "gone", ingest.Processing, 77, "t2")
	addTrack(t, client, "t2", "gone", "processing")
	addUpload(t, client, "settled", ingest.Playable, 78, "t3")
	addTrack(t, client, "t3", "settled", "playable")
	addAttempt(t, client, "t3", "live", ingest.Complete, renditions[0], true)
	addAttempt(t, client, "t3", "loser", ingest.Complete, renditions[0], false)
	addUpload(t, client, "clean", ingest.Playable, 79, "t4")
	addTrack(t, client, "t4", "clean", "playable")
	addAttempt(t, client, "t4", "only", ingest.Complete, renditions[0], true)

	var notified []map[string]string
	var log bytes.Buffer
	r := resumption{writer: writer, uploads: uploads, log: &log, notify: func(_ context.Context, a map[string]string) error {
		notified = append(notified, a)
		return nil
	}}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(notified) != 1 || notified[0]["objectId"] != "uploads/waiting" || notified[0]["bucketId"] != uploads.BucketName() ||
		notified[0]["eventType"] != "OBJECT_FINALIZE" || notified[0]["objectGeneration"] == "" || waiting == 0 {
		t.Errorf("notified %v", notified)
	}
	asked := map[playback.Rendition]bool{}
	for _, m := range emutest.Received(t, topics, "transcode-requested") {
		var q eventpb.TranscodeRequested
		if err := proto.Unmarshal(m.GetMessage().GetData(), &q); err != nil {
			t.Fatal(err)
		}
		if q.GetUploadId() != "processing" || q.GetTrackId() != "t1" || q.GetObject() != "uploads/processing" || q.GetGeneration() == 0 || q.GetSourceSamples() != 441 || q.GetSourceSampleRate() != 44100 {
			t.Errorf("request %v", &q)
		}
		asked[playback.Rendition{Format: playback.Format(q.GetFormat()), Bitrate: playback.Quality(q.GetBitrate())}] = true
	}
	if len(asked) != len(renditions)-1 || asked[renditions[2]] || !asked[renditions[3]] {
		t.Errorf("asked for %v", asked)
	}
	if got := ingesttest.Events[*eventpb.AnalysisRequested](t, topics); len(got) != 1 || got[0].GetTrackId() != "t1" || got[0].GetUploadId() != "processing" ||
		got[0].GetObject() != "uploads/processing" || got[0].GetGeneration() == 0 || got[0].GetSourceSamples() != 441 || got[0].GetSourceSampleRate() != 44100 {
		t.Errorf("asked for analyses %v", got)
	}
	if got := ingesttest.Events[*eventpb.TrackAnalyzed](t, topics); len(got) != 1 || got[0].GetTrackId() != "t5" || got[0].GetVersion() != 3 {
		t.Errorf("told of analyses %v", got)
	}
	told := map[string]string{}
	for _, m := range emutest.Received(t, topics, "rendition-ready") {
		var q eventpb.RenditionReady
		if err := proto.Unmarshal(m.GetMessage().GetData(), &q); err != nil {
			t.Fatal(err)
		}
		told[q.GetTrackId()] = q.GetAttemptId()
	}
	if want := map[string]string{"t1": "done", "t3": "loser", "t2": ""}; told["t1"] != want["t1"] || told["t3"] != want["t3"] || told["t5"] == "" || len(told) != 3 {
		t.Errorf("told of %v", told)
	}
	attempts, err := ingest.Attempts(t.Context(), client.Single(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		if a.ID == "died" && a.LeaseUntil.After(time.Now()) {
			t.Errorf("the dead attempt's lease lasts until %s", a.LeaseUntil)
		}
	}
	u, err := ingest.Read(t.Context(), client.Single(), "gone")
	if err != nil || u.Status != ingest.Failed || u.Reason != "the uploaded file is gone" {
		t.Errorf("upload without its file: %+v, %v", u, err)
	}
	u, err = ingest.Read(t.Context(), client.Single(), "no-object")
	if err != nil || u.Status != ingest.Waiting {
		t.Errorf("upload that waits: %+v, %v", u, err)
	}
}

func TestRowsAreHeldAgainstTheirObjects(t *testing.T) {
	t.Parallel()
	client, bucket := emutest.Database(t), emutest.Bucket(t)
	first := playback.Renditions()[0]
	whole := func(id string) {
		put(t, bucket, "audio/"+id+"/"+playback.DataObject, "data")
		put(t, bucket, "audio/"+id+"/"+playback.HashesObject, "h")
		put(t, bucket, "audio/"+id+"/"+playback.SeekObject, "se")
	}
	addTrack(t, client, "t1", "u", "playable")
	addAttempt(t, client, "t1", "live", ingest.Complete, first, true)
	addAttempt(t, client, "t1", "removed", ingest.Complete, first, false)
	addAttempt(t, client, "t1", "kept", ingest.Complete, first, false)
	addAttempt(t, client, "t1", "atwork", ingest.Leased, first, false)
	whole("live")
	whole("kept")
	var log bytes.Buffer
	if err := checkObjects(t.Context(), client, bucket, &log); err != nil {
		t.Fatal(err)
	}
	left, err := ingest.Attempts(t.Context(), client.Single(), "t1")
	if err != nil || len(left) != 3 || !strings.Contains(log.String(), "removed") {
		t.Errorf("left %d attempts (%v): %s", len(left), err, log.String())
	}
	for name, break1 := range map[string]func(){
		"torn":      func() { put(t, bucket, "audio/live/"+playback.DataObject, "dat") },
		"no hashes": func() { whole("live"); remove(t, bucket, "audio/live/"+playback.HashesObject) },
		"no seek":   func() { whole("live"); remove(t, bucket, "audio/live/"+playback.SeekObject) },
		"torn seek": func() { whole("live"); put(t, bucket, "audio/live/"+playback.SeekObject, "s") },
		"no data":   func() { whole("live"); remove(t, bucket, "audio/live/"+playback.DataObject) },
	} {
		break1()
		err := checkObjects(t.Context(), client, bucket, &log)
		if err == nil || !strings.Contains(err.Error(), "1 restored renditions have lost their objects") || !strings.Contains(err.Error(), "audio/live/data of track t1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func remove(t *testing.T, bucket *storage.BucketHandle, name string) {
	t.Helper()
	if err := bucket.Object(name).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
}
