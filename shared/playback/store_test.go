package playback

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/id"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// track makes a row that renditions hang on.
func track(ctx context.Context, c *spanner.Client) (string, error) {
	track := id.Random()
	_, err := c.Apply(ctx, []*spanner.Mutation{spanner.InsertMap("Tracks", map[string]any{
		"TrackId": track, "LabelId": "l", "AlbumId": "a", "UploadId": "u", "State": "playable", "Title": "T", "DiscNumber": 1, "TrackNumber": 1,
		"DurationMs": 1, "Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": []byte{1}, "SourceSamples": 1,
		"SourceSampleRate": 1, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	})})
	return track, err
}

func TestRenditionReadsItsRow(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	store := &Store{Spanner: client}
	track, err := track(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	gain, peak := -3.25, 0.91
	want := map[Rendition]*Live{}
	for i, r := range []Rendition{{AAC, High}, {Ogg, Low}} {
		n := int64(i * 1000)
		l := &Live{
			TrackID: track, Rendition: r, AttemptID: id.Random(), Folder: "audio/" + id.Random() + "/", Cipher: AES256CTR, WrappedKey: []byte{1, byte(i)},
			Size: n + 1, HeadSize: n + 2, EncoderDelay: n + 3, TotalSamples: n + 4, SampleRate: n + 5, DurationMs: n + 6, Markets: []string{},
		}
		if i == 0 {
			l.GainDb, l.Peak, l.Markets = &gain, &peak, []string{"SE", "DE"}
		}
		want[r] = l
		_, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.InsertMap("Renditions", map[string]any{
			"TrackId": track, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "AttemptId": l.AttemptID, "Folder": l.Folder,
			"Cipher": string(l.Cipher), "WrappedKey": l.WrappedKey, "Size": l.Size, "Sha256": []byte{1}, "HeadSize": l.HeadSize,
			"EncoderDelay": l.EncoderDelay, "TotalSamples": l.TotalSamples, "SampleRate": l.SampleRate, "DurationMs": l.DurationMs,
			"Markets": l.Markets, "GainDb": l.GainDb, "Peak": l.Peak, "PublishedAt": spanner.CommitTimestamp,
		})})
		if err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for r, l := range want {
		found, err := store.Find(t.Context(), track, r)
		if diff := cmp.Diff(l, found.Value); diff != "" || err != nil || !found.Exists {
			t.Errorf("%s: %v (-want +got)\n%s", r, err, diff)
		}
		if !found.At.After(start.Add(-time.Second)) {
			t.Errorf("%s: read at %s, begun at %s", r, found.At, start)
		}
		if b := (Binding{TrackID: track, Format: r.Format, Bitrate: r.Bitrate, AttemptID: l.AttemptID}); found.Value.Binding() != b {
			t.Errorf("%s: the key is bound to %+v", r, found.Value.Binding())
		}
	}
	for name, c := range map[string]struct {
		track string
		Rendition
	}{
		"another quality": {track, Rendition{Ogg, High}}, "another format": {track, Rendition{AAC, Low}}, "unknown": {id.Random(), Rendition{Ogg, Low}},
		"empty": {"", Rendition{Ogg, Low}},
	} {
		found, err := store.Find(t.Context(), c.track, c.Rendition)
		if err != nil || found.Exists || found.At.Before(start.Add(-time.Second)) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

func TestKeyConfig(t *testing.T) {
	t.Parallel()
	text, kek, err := CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good := KeyConfig{Keyset: text, KEK: kek, Cipher: AES128CTR}
	w, err := good.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.NewContentKey(nil, good.Cipher, binding()); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*KeyConfig){
		"SEGUE_CONTENT_CIPHER: ":      func(c *KeyConfig) { c.Cipher = "aes-128-gcm" },
		"keyset is empty":             func(c *KeyConfig) { c.Keyset = "" },
		"neither JSON nor base64":     func(c *KeyConfig) { c.Keyset = "?" },
		"is neither gcp-kms://… nor ": func(c *KeyConfig) { c.KEK = "kms" },
		"no such file or directory":   func(c *KeyConfig) { c.KEK += ".old" },
	} {
		c := good
		change(&c)
		if _, err := c.Open(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
