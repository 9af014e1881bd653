package rotation

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/playback"
)

// Record is what is known of a key; nil is never, or not any more.
type Record struct {
	Added     *time.Time
	Deployed  *time.Time
	Primary   *time.Time
	Rewrapped *time.Time
}

// Records are kept in Spanner, for what the running functions know is the same
// for all operators.
func Records(ctx context.Context, client *spanner.Client) (map[uint32]Record, error) {
	return records(ctx, client.Single())
}

func records(ctx context.Context, from reader) (map[uint32]Record, error) {
	all := map[uint32]Record{}
	rows := from.ReadWithOptions(ctx, "KeysetKeys", spanner.AllKeys(), columns, nil)
	err := rows.Do(func(row *spanner.Row) error {
		var id int64
		var r Record
		err := row.Columns(&id, &r.Added, &r.Deployed, &r.Primary, &r.Rewrapped)
		all[uint32(id)] = r //nolint:gosec // it was written from one
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read KeysetKeys: %w", err)
	}
	return all, nil
}

var columns = []string{"KeyId", "AddedAt", "DeployedAt", "PrimaryAt", "RewrappedAt"}

func (r Record) put(id uint32) *spanner.Mutation {
	return spanner.InsertOrUpdate("KeysetKeys", columns, []any{int64(id), r.Added, r.Deployed, r.Primary, r.Rewrapped})
}

// Added notes a new key, before its keyset is written: die in between, and the
// note is of a key that nobody has.
func Added(ctx context.Context, client *spanner.Client, id uint32, now time.Time) error {
	if _, err := client.Apply(ctx, []*spanner.Mutation{Record{Added: &now}.put(id)}); err != nil {
		return fmt.Errorf("note key %d: %w", id, err)
	}
	return nil
}

// Deployed notes which keyset all running instances have, once no instance with
// another is left. What is said of a key starts anew when instances forget it,
// or wrap with another: so a step back is a step back in this as well.
func Deployed(ctx context.Context, client *spanner.Client, keys []playback.KeyInfo, now time.Time) error {
	_, err := client.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		all, err := records(ctx, tx)
		if err != nil {
			return err
		}
		var rows []*spanner.Mutation
		known := map[uint32]bool{}
		for _, k := range keys {
			r := all[k.ID]
			known[k.ID] = true
			if r.Deployed == nil {
				r.Deployed = &now
			}
			if !k.Enabled {
				r.Deployed = nil
			}
			switch {
			case !k.Primary:
				r.Primary, r.Rewrapped = nil, nil
			case r.Primary == nil:
				r.Primary = &now
			}
			rows = append(rows, r.put(k.ID))
		}
		for id, r := range all {
			if !known[id] {
				rows = append(rows, Record{Added: r.Added}.put(id))
			}
		}
		return tx.BufferWrite(rows)
	})
	if err != nil {
		return fmt.Errorf("note the deployment: %w", err)
	}
	return nil
}

// rewrapped notes that all rows were seen under a key.
func rewrapped(ctx context.Context, client *spanner.Client, id uint32, now time.Time) error {
	_, err := client.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		all, err := records(ctx, tx)
		if err != nil {
			return err
		}
		r := all[id]
		r.Rewrapped = &now
		return tx.BufferWrite([]*spanner.Mutation{r.put(id)})
	})
	if err != nil {
		return fmt.Errorf("note the end of the pass: %w", err)
	}
	return nil
}
