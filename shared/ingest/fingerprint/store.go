package fingerprint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/catalog"
)

const (
	// maxRows of terms are read at once. Where there are more, as of a podcast's
	// jingle, each term is read alone, and those of more than maxCommon tracks tell
	// nothing.
	maxRows   = 5000
	maxCommon = 100
	// maxLooked tracks are looked up, and of those that are as long, and not
	// failed, maxCompared are compared.
	maxLooked   = 200
	maxCompared = 20
)

// reader is a transaction or a snapshot.
type reader interface {
	ReadWithOptions(ctx context.Context, table string, keys spanner.KeySet, columns []string, o *spanner.ReadOptions) *spanner.RowIterator
}

// Recording is what is looked for.
type Recording struct {
	Fingerprint
	Length   time.Duration
	ISRC     string // "": not known
	Explicit bool
}

// another says whether the label itself tells two recordings apart that sound
// alike, as the clean version of a track and the explicit one do: by their ISRCs
// if both have one, or else by what they say of their lyrics.
func (r Recording) another(isrc string, explicit bool) bool {
	if r.ISRC != "" && isrc != "" {
		return r.ISRC != isrc
	}
	return r.Explicit != explicit
}

// Find looks for the label's own track of the same recording, and for "" if
// there is none. Other labels' tracks are not read. In a read-write transaction
// the terms' rows are locked, also those that are not there yet: of two
// transactions that Find and then Insert the same recording, the second finds
// the first one's.
func Find(ctx context.Context, tx reader, label string, f Recording) (track string, err error) {
	if !f.Tells() {
		return "", nil
	}
	likely, err := sharing(ctx, tx, label, f.Terms())
	if err != nil || len(likely) == 0 {
		return "", err
	}
	lengths := map[string]time.Duration{} // of those that can be it
	err = tx.ReadWithOptions(ctx, "Tracks", keys(likely), []string{"TrackId", "State", "DurationMs", "Isrc", "Explicit"}, nil).Do(func(r *spanner.Row) error {
		var id, state, isrc string
		var ms int64
		var explicit bool
		err := r.Columns(&id, &state, &ms, &isrc, &explicit)
		if state != catalog.StateFailed && !f.another(isrc, explicit) {
			lengths[id] = time.Duration(ms) * time.Millisecond
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look up tracks of like fingerprints: %w", err)
	}
	likely = slices.DeleteFunc(likely, func(id string) bool {
		l, ok := lengths[id]
		return !ok || !Near(l, f.Length)
	})
	if len(likely) == 0 {
		return "", nil
	}
	likely = likely[:min(len(likely), maxCompared)]
	best := threshold
	err = tx.ReadWithOptions(ctx, "Fingerprints", keys(likely), []string{"TrackId", "Version", "Items"}, nil).Do(func(r *spanner.Row) error {
		var id string
		var version int64
		var raw []byte
		if err := r.Columns(&id, &version, &raw); err != nil {
			return err
		}
		other, err := Parse(raw)
		if err != nil {
			return fmt.Errorf("of track %s: %w", id, err)
		}
		if rate := Rate(f.Fingerprint, other); version == Version && rate < best {
			track, best = id, rate
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("compare fingerprints: %w", err)
	}
	return track, nil
}

// sharing are the tracks that share terms enough, those that share most first.
func sharing(ctx context.Context, tx reader, label string, terms []int64) ([]string, error) {
	var sets []spanner.KeySet
	for _, t := range terms {
		sets = append(sets, spanner.Key{label, Version, t}.AsPrefix())
	}
	n := map[string]int{}
	count := func(keys spanner.KeySet, limit int) (rows int, err error) {
		var ids []string
		err = tx.ReadWithOptions(ctx, "FingerprintTerms", keys, []string{"TrackId"}, &spanner.ReadOptions{Limit: limit}).Do(func(r *spanner.Row) error {
			var id string
			err := r.Columns(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("look up a fingerprint's terms: %w", err)
		}
		if len(ids) < limit {
			for _, id := range ids {
				n[id]++
			}
		}
		return len(ids), nil
	}
	rows, err := count(spanner.KeySets(sets...), maxRows)
	if err != nil {
		return nil, err
	}
	if rows == maxRows {
		for _, set := range sets {
			if _, err := count(set, maxCommon+1); err != nil {
				return nil, err
			}
		}
	}
	var all []string
	for id, times := range n {
		if times >= shared {
			all = append(all, id)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	return all[:min(len(all), maxLooked)], nil
}

func keys(tracks []string) spanner.KeySet {
	var sets []spanner.KeySet
	for _, id := range tracks {
		sets = append(sets, spanner.Key{id})
	}
	return spanner.KeySets(sets...)
}

// Insert writes the fingerprint of a track that is inserted in the same
// transaction: one row, and one a term. One that tells too little has no rows.
// Whoever deletes the track deletes its terms too; one that leads to no track is
// passed over.
func (f Fingerprint) Insert(label, track string) []*spanner.Mutation {
	if !f.Tells() {
		return nil
	}
	rows := []*spanner.Mutation{spanner.InsertMap("Fingerprints", map[string]any{
		"TrackId": track, "Version": Version, "Items": f.Bytes(), "CreatedAt": spanner.CommitTimestamp,
	})}
	for _, t := range f.Terms() {
		rows = append(rows, spanner.InsertMap("FingerprintTerms", map[string]any{"LabelId": label, "Version": Version, "Term": t, "TrackId": track}))
	}
	return rows
}
