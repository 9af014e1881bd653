// Package rotation changes the key that content keys are wrapped with while
// everything runs: it counts the rows that each key of the keyset wraps, wraps
// them anew, and knows when a key is no longer needed. It is for operators:
// functions open their keyset and know nothing of this.
package rotation

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/playback"
)

// tables hold wrapped keys, in the order in which they are to be read: publish
// copies a key from an attempt to a rendition, so that a copy of an old one was
// made before the attempt was seen with a new one, and is seen thereafter.
var tables = []string{"RenditionAttempts", "Renditions"}

// page is how many rows are read at once.
const page = 1000

// row is one wrapped key and what it is bound to.
type row struct {
	table   string
	binding playback.Binding
	wrapped []byte
}

func (r row) String() string {
	return fmt.Sprintf("%s of track %s, %s %d, attempt %s", r.table, r.binding.TrackID, r.binding.Format, r.binding.Bitrate, r.binding.AttemptID)
}

func (r row) key() spanner.Key {
	k := spanner.Key{r.binding.TrackID, string(r.binding.Format), int64(r.binding.Bitrate)}
	if r.table == tables[0] {
		k = append(k, r.binding.AttemptID)
	}
	return k
}

// update puts another wrapped key into the row.
func (r row) update(wrapped []byte) *spanner.Mutation {
	columns := []string{"TrackId", "Format", "Bitrate", "AttemptId"}
	return spanner.Update(r.table, append(columns[:len(r.key()):len(r.key())], "WrappedKey"), append(r.key(), wrapped))
}

type reader interface {
	ReadWithOptions(ctx context.Context, table string, keys spanner.KeySet, columns []string, opts *spanner.ReadOptions) *spanner.RowIterator
}

// read reads up to limit rows of a table; 0 is all.
func read(ctx context.Context, from reader, table string, keys spanner.KeySet, limit int) ([]row, error) {
	var all []row
	rows := from.ReadWithOptions(ctx, table, keys, []string{"TrackId", "Format", "Bitrate", "AttemptId", "WrappedKey"}, &spanner.ReadOptions{Limit: limit})
	err := rows.Do(func(r *spanner.Row) error {
		one := row{table: table}
		var bitrate int64
		b := &one.binding
		err := r.Columns(&b.TrackID, (*string)(&b.Format), &bitrate, &b.AttemptID, &one.wrapped)
		b.Bitrate = playback.Quality(bitrate)
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	return all, nil
}

// scan reads a whole table by pages, each as it is when it is read.
func scan(ctx context.Context, client *spanner.Client, table string, see func([]row) error) error {
	keys := spanner.AllKeys()
	for {
		rows, err := read(ctx, client.Single(), table, keys, page)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if err := see(rows); err != nil {
			return err
		}
		// No key begins with what is behind the last possible character.
		keys = spanner.KeyRange{Start: rows[len(rows)-1].key(), End: spanner.Key{"\U0010FFFF"}, Kind: spanner.OpenOpen}
	}
}

// Use is how many rows a key wraps.
type Use struct {
	Attempts   int `json:"attempts"`
	Renditions int `json:"renditions"`
}

// Total is all rows.
func (u Use) Total() int { return u.Attempts + u.Renditions }

func (u *Use) count(table string) {
	if table == tables[0] {
		u.Attempts++
	} else {
		u.Renditions++
	}
}

// Uses says how many rows each key wraps, and how many cannot be said to be
// wrapped by any.
func Uses(ctx context.Context, client *spanner.Client) (byKey map[uint32]Use, unknown Use, err error) {
	byKey = map[uint32]Use{}
	for _, table := range tables {
		err := scan(ctx, client, table, func(rows []row) error {
			for _, r := range rows {
				id, ok := playback.WrappedUnder(r.wrapped)
				if !ok {
					unknown.count(table)
					continue
				}
				u := byKey[id]
				u.count(table)
				byKey[id] = u
			}
			return nil
		})
		if err != nil {
			return nil, Use{}, err
		}
	}
	return byKey, unknown, nil
}

// lost counts the rows that one keyset opens and another does not, and says of
// the first why.
func lost(ctx context.Context, client *spanner.Client, before, after *playback.Wrapper) (n int, first error, err error) {
	for _, table := range tables {
		err := scan(ctx, client, table, func(rows []row) error {
			for _, r := range rows {
				_, err := after.Unwrap(r.wrapped, r.binding)
				if err == nil {
					continue
				}
				if _, broken := before.Unwrap(r.wrapped, r.binding); broken != nil {
					continue
				}
				if n++; first == nil {
					first = fmt.Errorf("%s: %w", r, err)
				}
			}
			return nil
		})
		if err != nil {
			return 0, nil, err
		}
	}
	return n, first, nil
}
