// Package ingesttest makes what tests of the ingest need: audio files, made by
// ffmpeg, and uploads of them.
package ingesttest

import (
	"context"
	"crypto/sha256"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
)

// FFmpeg runs ffmpeg; the last argument names the output, in a fresh folder. It
// returns the output's path.
func FFmpeg(t testing.TB, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), args[len(args)-1])
	all := append([]string{"-nostdin", "-v", "error"}, args[:len(args)-1]...)
	if message, err := exec.CommandContext(t.Context(), "ffmpeg", append(all, out)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v: %s", args, err, message)
	}
	return out
}

// Audio encodes a source of ffmpeg's lavfi; the last argument names the output.
func Audio(t testing.TB, lavfi string, args ...string) string {
	t.Helper()
	return FFmpeg(t, append([]string{"-f", "lavfi", "-i", lavfi}, args...)...)
}

// Decode is the audio of a file, as 16-bit samples of all its channels.
func Decode(t testing.TB, file string) []byte {
	t.Helper()
	pcm, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:a:0", "-f", "s16le", "-").Output()
	if err != nil {
		t.Fatalf("decode %s: %v", file, err)
	}
	return pcm
}

// Put writes an object and returns its generation.
func Put(t testing.TB, bucket *storage.BucketHandle, object string, content []byte) int64 {
	t.Helper()
	w := bucket.Object(object).NewWriter(t.Context())
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Attrs().Generation
}

// Announce records an upload that waits for a file of the given size. What u
// does not say is filled in.
func Announce(t testing.TB, client *spanner.Client, u ingest.Upload, size int) *ingest.Upload {
	t.Helper()
	u.ID, u.Size, u.ExpiresAt, u.ContentType = id.Random(), int64(size), time.Now().Add(time.Hour), "audio/flac"
	u.Object = ingest.Prefix + u.ID
	if u.LabelID == "" {
		u.LabelID = "label"
	}
	if u.Filename == "" {
		u.Filename = "file.flac"
	}
	row, err := u.Insert()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{row}); err != nil {
		t.Fatal(err)
	}
	return &u
}

// Read reads the upload again.
func Read(t testing.TB, client *spanner.Client, upload string) *ingest.Upload {
	t.Helper()
	u, err := ingest.Read(t.Context(), client.Single(), upload)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Accept makes an announced upload one that is being processed, with a drafted
// track of the given length: what probe does.
func Accept(t testing.TB, client *spanner.Client, u *ingest.Upload, generation, samples, rate int64) {
	t.Helper()
	sum := sha256.Sum256([]byte(u.ID))
	_, err := client.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		track, err := catalog.Draft{
			LabelID: u.LabelID, UploadID: u.ID, Title: "Track", Artists: []string{"Artist"}, Album: "Album", ReleaseDate: "2020",
			DurationMs: samples * 1000 / rate, SourceSha256: sum[:], SourceSamples: samples, SourceSampleRate: rate,
		}.Add(ctx, tx, id.Random)
		if err != nil {
			return err
		}
		u.TrackID, u.Generation, u.Status = track, generation, ingest.Processing
		return tx.BufferWrite([]*spanner.Mutation{u.Update()})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Objects are the names of a bucket's objects.
func Objects(t testing.TB, bucket *storage.BucketHandle) []string {
	t.Helper()
	var names []string
	objects := bucket.Objects(t.Context(), nil)
	for {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Name)
	}
}
