package cleanup

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
)

// term is a row's key in FingerprintTerms.
type term struct {
	Label         string
	Version, Term int64
	Track         string
}

func (t term) key() spanner.Key { return spanner.Key{t.Label, t.Version, t.Term, t.Track} }

// terms removes those of tracks that are gone: they are not interleaved in their
// tracks, and whoever removes a track may die before them.
func (d Deps) terms(ctx context.Context, _ time.Time, after string) (next string, n int, err error) {
	var from term
	if after != "" {
		if err := json.Unmarshal([]byte(after), &from); err != nil {
			return "", 0, fmt.Errorf("position %q: %w", after, err)
		}
	}
	// One moment: a track and its terms appear together.
	tx := d.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	var page []term
	tracks := map[string]bool{}
	var keys []spanner.KeySet
	rows := tx.ReadWithOptions(ctx, "FingerprintTerms", behind(from.key()...), []string{"LabelId", "Version", "Term", "TrackId"}, &spanner.ReadOptions{Limit: d.size()})
	err = rows.Do(func(r *spanner.Row) error {
		var t term
		err := r.Columns(&t.Label, &t.Version, &t.Term, &t.Track)
		page = append(page, t)
		if !tracks[t.Track] {
			tracks[t.Track] = true
			keys = append(keys, spanner.Key{t.Track})
		}
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read terms: %w", err)
	}
	if len(page) == 0 {
		return "", 0, nil
	}
	err = tx.Read(ctx, "Tracks", spanner.KeySets(keys...), []string{"TrackId"}).Do(func(r *spanner.Row) error {
		var id string
		err := r.Columns(&id)
		delete(tracks, id)
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read tracks: %w", err)
	}
	var gone []spanner.Key
	for _, t := range page {
		if tracks[t.Track] {
			gone = append(gone, t.key())
		}
	}
	if len(page) == d.size() {
		position, err := json.Marshal(page[len(page)-1])
		if err != nil {
			return after, 0, err
		}
		next = string(position)
	}
	if len(gone) == 0 {
		return next, 0, nil
	}
	if _, err := d.Spanner.Apply(ctx, []*spanner.Mutation{spanner.Delete("FingerprintTerms", spanner.KeySetFromKeys(gone...))}); err != nil {
		return next, 0, fmt.Errorf("delete terms: %w", err)
	}
	return next, len(gone), nil
}
