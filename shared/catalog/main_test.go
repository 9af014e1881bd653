package catalog

import (
	"context"
	"testing"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/id"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// song is a draft of a track that is like no other but in its album.
func song(label, title string) Draft {
	return Draft{
		LabelID: label, UploadID: id.Random(), Title: title, Artists: []string{"Beyoncé", "JAY-Z"}, Album: "Lemonade",
		Label: "Parkwood", Copyrights: []string{"2016 Parkwood"}, Genres: []string{"pop", "soul"}, ReleaseDate: "2016-04-23",
		DiscNumber: 1, TrackNumber: 2, Credits: []Credit{{Name: "Jack White", Role: "producer"}}, ISRC: "USSM11603244",
		Markets: []string{"SE", "DE"}, Explicit: true, DurationMs: 234_000,
		SourceSha256: make([]byte, 32), SourceSamples: 1000, SourceSampleRate: 44_100,
	}
}

// add adds a draft in a transaction of its own.
func add(ctx context.Context, c *spanner.Client, d Draft) (track string, err error) {
	_, err = c.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		track, err = d.Add(ctx, tx, id.Random)
		return err
	})
	return track, err
}

func mustAdd(t testing.TB, c *spanner.Client, d Draft) string {
	t.Helper()
	track, err := add(t.Context(), c, d)
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// publish makes a track playable, as ingest does when its renditions are there.
func publish(t testing.TB, c *spanner.Client, track string) (album string) {
	t.Helper()
	_, err := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{track}, []string{"AlbumId", "DiscNumber", "TrackNumber"})
		if err != nil {
			return err
		}
		var disc, number int64
		if err := row.Columns(&album, &disc, &number); err != nil {
			return err
		}
		return tx.BufferWrite([]*spanner.Mutation{
			spanner.UpdateMap("Tracks", map[string]any{"TrackId": track, "State": StatePlayable, "UpdatedAt": spanner.CommitTimestamp}),
			spanner.InsertMap("AlbumTracks", map[string]any{"AlbumId": album, "DiscNumber": disc, "TrackNumber": number, "TrackId": track}),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return album
}

// column reads one column of a whole table, in the order of its key.
func column[T any](t *testing.T, c *spanner.Client, table, name string) []T {
	t.Helper()
	var all []T
	err := c.Single().Read(t.Context(), table, spanner.AllKeys(), []string{name}).Do(func(r *spanner.Row) error {
		var v T
		err := r.Column(0, &v)
		all = append(all, v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
