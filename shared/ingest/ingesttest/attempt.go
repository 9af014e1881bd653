package ingesttest

import (
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// Attempt adds an attempt with objects that stand for its audio. It is
// complete, or leased until the given time.
func Attempt(t testing.TB, client *spanner.Client, bucket *storage.BucketHandle, u *ingest.Upload, r playback.Rendition, leasedUntil time.Time) *ingest.Attempt {
	t.Helper()
	a := &ingest.Attempt{
		TrackID: u.TrackID, Rendition: r, ID: id.Random(), State: ingest.Leased, LeaseUntil: leasedUntil,
		Folder: "audio/" + id.Random() + "/", Cipher: playback.AES128CTR, WrappedKey: []byte(id.Random()),
		Size: 4, Sha256: make([]byte, 32), HeadSize: 3, Delay: 2, TotalSamples: 44100, SampleRate: 44100, SeekSize: 4,
	}
	row := map[string]any{
		"TrackId": a.TrackID, "Format": string(a.Format), "Bitrate": int64(a.Bitrate), "AttemptId": a.ID, "State": a.State,
		"LeaseUntil": a.LeaseUntil, "Folder": a.Folder, "Cipher": string(a.Cipher), "WrappedKey": a.WrappedKey, "CreatedAt": spanner.CommitTimestamp,
	}
	objects := []string{playback.DataObject}
	if leasedUntil.IsZero() {
		a.State = ingest.Complete
		row["State"], row["CompletedAt"] = a.State, spanner.CommitTimestamp
		row["Size"], row["Sha256"], row["HeadSize"], row["EncoderDelay"] = a.Size, a.Sha256, a.HeadSize, a.Delay
		row["TotalSamples"], row["SampleRate"], row["SeekSize"] = a.TotalSamples, a.SampleRate, a.SeekSize
		objects = append(objects, playback.HashesObject, playback.SeekObject)
	}
	for _, o := range objects {
		Put(t, bucket, a.Folder+o, []byte("data"))
	}
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.InsertMap("RenditionAttempts", row)}); err != nil {
		t.Fatal(err)
	}
	return a
}

// Attempts reads the attempts at a track's renditions.
func Attempts(t testing.TB, client *spanner.Client, track string) []*ingest.Attempt {
	t.Helper()
	all, err := ingest.Attempts(t.Context(), client.Single(), track)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
