package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

// songs makes tracks playable that nobody has played, as rows: an ingest of
// hundreds would take an hour. They have the one rendition that is asked for when
// a request names none, and that of premium.
func (w *world) songs(ctx context.Context, n int) ([]string, error) {
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	c, err := config.Load[playback.KeyConfig](ctx)
	if err != nil {
		return nil, err
	}
	keys, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	var tracks []string
	var rows []*spanner.Mutation
	for range n {
		track := id.Random()
		tracks = append(tracks, track)
		rows = append(rows, spanner.InsertMap("Tracks", map[string]any{
			"TrackId": track, "LabelId": "bench", "AlbumId": id.Random(), "UploadId": id.Random(), "State": "playable", "Title": "Rows", "DiscNumber": 1, "TrackNumber": 1,
			"DurationMs": 180_000, "Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": []byte{1}, "SourceSamples": 1, "SourceSampleRate": 44_100,
			"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		}))
		for _, q := range []playback.Quality{playback.Medium, playback.High} {
			l := playback.Live{TrackID: track, Rendition: playback.Rendition{Format: playback.Ogg, Bitrate: q}, AttemptID: id.Random(), Cipher: playback.AES128CTR}
			if _, l.WrappedKey, err = keys.NewContentKey(rand.Reader, l.Cipher, l.Binding()); err != nil {
				return nil, err
			}
			rows = append(rows, spanner.InsertMap("Renditions", map[string]any{
				"TrackId": track, "Format": string(l.Format), "Bitrate": int64(l.Bitrate), "AttemptId": l.AttemptID, "Folder": "audio/" + l.AttemptID + "/",
				"Cipher": string(l.Cipher), "WrappedKey": l.WrappedKey, "Size": 3_600_000, "Sha256": []byte{1}, "HeadSize": 600_000, "EncoderDelay": 0,
				"TotalSamples": 180 * 44_100, "SampleRate": 44_100, "DurationMs": 180_000, "Markets": []string{}, "GainDb": -3.5, "Peak": 0.9,
				"PublishedAt": spanner.CommitTimestamp,
			}))
		}
	}
	for batch := range slices.Chunk(rows, 300) { // three rows a track: none is cut in two
		if _, err := w.spanner.Apply(ctx, batch); err != nil {
			return nil, fmt.Errorf("make tracks playable: %w", err)
		}
	}
	return tracks, nil
}

// tokens are those of so many users, each signed in once.
func (w *world) tokens(n int) ([]string, error) {
	var all []string
	for range n {
		t, err := w.issuer.AccessToken(identity.Claims{
			Subject: id.Random(), Session: id.Random(), Epoch: 1, ClientID: "bench", Scopes: []string{"streaming"}, Product: "premium", Market: "SE",
		})
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
