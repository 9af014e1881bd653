package invalidate

import (
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// A rendition that is cached is read again once its track has changed.
func TestChangedRenditionIsReadAgain(t *testing.T) {
	t.Parallel()
	d := Deps{emutest.Database(t), &playback.Access{Redis: emutest.Redis(t), Now: time.Now}}
	track := id.Random()
	row := map[string]any{
		"TrackId": track, "Format": "ogg", "Bitrate": 96, "AttemptId": id.Random(), "Folder": "audio/" + id.Random() + "/", "Cipher": "aes-128-ctr",
		"WrappedKey": []byte{1}, "Size": 1, "Sha256": []byte{1}, "HeadSize": 1, "EncoderDelay": 0, "TotalSamples": 1, "SampleRate": 44_100,
		"DurationMs": 1, "Markets": []string{}, "PublishedAt": spanner.CommitTimestamp,
	}
	if _, err := d.Spanner.Apply(t.Context(), []*spanner.Mutation{
		spanner.InsertMap("Tracks", map[string]any{
			"TrackId": track, "LabelId": "l", "AlbumId": "a", "UploadId": "u", "State": "playable", "Title": "T", "DiscNumber": 1, "TrackNumber": 1,
			"DurationMs": 1, "Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": []byte{1}, "SourceSamples": 1,
			"SourceSampleRate": 1, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		}), spanner.InsertMap("Renditions", row),
	}); err != nil {
		t.Fatal(err)
	}
	// Each time an instance that has nothing in memory.
	key := func() byte {
		t.Helper()
		c := playback.NewCachedStore(&playback.Store{Spanner: d.Spanner}, d.Access.Redis)
		pipe := d.Access.Redis.Pipeline()
		wanted := c.Look(t.Context(), pipe, track, playback.Rendition{Format: playback.Ogg, Bitrate: playback.Low})
		_, _ = pipe.Exec(t.Context())
		l, err := wanted.Result(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l.WrappedKey[0]
	}
	if key() != 1 {
		t.Fatal("another key")
	}
	row["WrappedKey"] = []byte{2}
	if _, err := d.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.UpdateMap("Renditions", row)}); err != nil {
		t.Fatal(err)
	}
	if key() != 1 {
		t.Error("nothing is cached")
	}
	for range 2 {
		if err := Invalidate(t.Context(), &eventpb.CatalogChanged{Kind: "track", Id: track}, d); err != nil {
			t.Fatal(err)
		}
		if key() != 2 {
			t.Error("the old row is still served")
		}
	}
}

// With Redis away the event is delivered again; what is not cached needs none.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	redis, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	d := Deps{emutest.Database(t), &playback.Access{Redis: redis, Now: time.Now}}
	if err := Invalidate(t.Context(), &eventpb.CatalogChanged{Kind: "track", Id: id.Random()}, d); err == nil {
		t.Error("a change was lost")
	}
	for _, kind := range []string{"album", "artist", ""} {
		if err := Invalidate(t.Context(), &eventpb.CatalogChanged{Kind: kind, Id: id.Random()}, d); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
