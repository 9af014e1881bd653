package fingerprint

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/catalog"
)

const length = 118 * time.Second

// insert adds a track with a fingerprint; change what is not usual of its row.
func insert(t *testing.T, client *spanner.Client, label, track string, f Fingerprint, change map[string]any) {
	t.Helper()
	row := map[string]any{
		"TrackId": track, "LabelId": label, "AlbumId": "a", "UploadId": "u", "State": catalog.StateProcessing, "Title": "t", "DiscNumber": 1, "TrackNumber": 1,
		"DurationMs": length.Milliseconds(), "Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": make([]byte, 32), "SourceSamples": 1,
		"SourceSampleRate": 1, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	}
	for k, v := range change {
		row[k] = v
	}
	if _, err := client.Apply(t.Context(), append([]*spanner.Mutation{spanner.InsertMap("Tracks", row)}, f.Insert(label, track)...)); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, client *spanner.Client, label string, f Fingerprint) string {
	t.Helper()
	var track string
	_, err := client.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) (err error) {
		track, err = Find(ctx, tx, label, Recording{Fingerprint: f, Length: length, ISRC: "SEABC2600001"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// noisy flips a share of the bits of some items, as encoders do: all the bits
// that are wrong lie in one half of the items.
func noisy(f Fingerprint, mask uint32) Fingerprint {
	g := append(Fingerprint(nil), f...)
	for i := 0; i < len(g); i += 2 {
		g[i] ^= mask
	}
	return g
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := random(1, 948)
	few := Fingerprint{1, 2, 3}
	for name, tt := range map[string]struct {
		insert func(t *testing.T, c *spanner.Client)
		print  Fingerprint
		want   string
	}{
		"nothing there": {func(*testing.T, *spanner.Client) {}, f, ""},
		"the same":      {func(t *testing.T, c *spanner.Client) { insert(t, c, "one", "x", f, nil) }, noisy(f, 0x00010100), "x"},
		"another":       {func(t *testing.T, c *spanner.Client) { insert(t, c, "one", "x", random(2, 948), nil) }, f, ""},
		"many terms, other bits": {
			func(t *testing.T, c *spanner.Client) { insert(t, c, "one", "x", noisy(f, 0x0f0f0f0f), nil) }, f, "",
		},
		"of another label": {func(t *testing.T, c *spanner.Client) { insert(t, c, "two", "x", f, nil) }, f, ""},
		"failed": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"State": catalog.StateFailed})
		}, f, ""},
		"playable": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"State": catalog.StatePlayable})
		}, f, "x"},
		"of another ISRC": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"Isrc": "SEABC2600002"})
		}, f, ""},
		"of its ISRC, though explicit": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"Isrc": "SEABC2600001", "Explicit": true})
		}, f, "x"},
		"explicit": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"Explicit": true})
		}, f, ""},
		"with a jingle that thousands have": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, nil)
			jingle(t, c, f.Terms()[:terms-shared])
		}, f, "x"},
		"longer": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"DurationMs": (length + tolerance).Milliseconds() + 1})
		}, f, ""},
		"a little longer": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, map[string]any{"DurationMs": (length + tolerance).Milliseconds()})
		}, f, "x"},
		"the nearest of two": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "a", noisy(f, 0x00010100), nil)
			insert(t, c, "one", "x", noisy(f, 0x00000100), nil)
		}, f, "x"},
		"behind many that failed": {func(t *testing.T, c *spanner.Client) {
			for i := range maxCompared + 5 {
				insert(t, c, "one", fmt.Sprint(i), f, map[string]any{"State": catalog.StateFailed})
			}
			insert(t, c, "one", "x", f, nil)
		}, f, "x"},
		"tells too little": {func(t *testing.T, c *spanner.Client) { insert(t, c, "one", "x", few, nil) }, few, ""},
		"terms of no track": {func(t *testing.T, c *spanner.Client) {
			if _, err := c.Apply(t.Context(), f.Insert("one", "x")[1:]); err != nil {
				t.Fatal(err)
			}
		}, f, ""},
		"made another way": {func(t *testing.T, c *spanner.Client) {
			insert(t, c, "one", "x", f, nil)
			if _, err := c.Apply(t.Context(), []*spanner.Mutation{spanner.Update("Fingerprints", []string{"TrackId", "Version"}, []any{"x", Version + 1})}); err != nil {
				t.Fatal(err)
			}
		}, f, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := emutest.Database(t)
			tt.insert(t, client)
			if got := find(t, client, "one", tt.print); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// jingle gives some terms to so many tracks that not all are read at once.
func jingle(t *testing.T, c *spanner.Client, common []int64) {
	t.Helper()
	var rows []*spanner.Mutation
	for i := range maxRows/len(common) + maxCommon {
		for _, term := range common {
			rows = append(rows, spanner.InsertMap("FingerprintTerms", map[string]any{"LabelId": "one", "Version": Version, "Term": term, "TrackId": fmt.Sprintf("!%d", i)}))
		}
	}
	if _, err := c.Apply(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// Terms go with what they are of only by hand; a track's fingerprint goes by
// itself.
func TestRows(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	insert(t, client, "one", "x", random(1, 948), nil)
	count := func(table string) (n int64) {
		if err := client.Single().Query(t.Context(), spanner.Statement{SQL: "SELECT COUNT(*) FROM " + table}).Do(func(r *spanner.Row) error { return r.Columns(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a, b := count("Fingerprints"), count("FingerprintTerms"); a != 1 || b != terms {
		t.Errorf("%d fingerprints, %d terms", a, b)
	}
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("Tracks", spanner.Key{"x"})}); err != nil {
		t.Fatal(err)
	}
	if a := count("Fingerprints"); a != 0 || find(t, client, "one", random(1, 948)) != "" {
		t.Errorf("%d fingerprints are left", a)
	}
}
