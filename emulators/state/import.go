package state

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Import restores the file into a fresh database that has been migrated to what
// this build knows. The snapshot may be of an older schema: its columns are
// filled, newer ones take their defaults. One of a newer schema is refused.
// errors.Is(err, fs.ErrNotExist) when there is no file, ErrNotEmpty when the
// database has rows; any other error may leave some rows in it.
func Import(ctx context.Context, client *spanner.Client, file string) (Summary, error) {
	in, err := open(file)
	if err != nil {
		return Summary{}, err
	}
	s, err := in.restore(ctx, client)
	if cerr := in.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Summary{}, fmt.Errorf("restore %s: %w", file, err)
	}
	return s, nil
}

func (s *snapshot) restore(ctx context.Context, client *spanner.Client) (Summary, error) {
	sum := Summary{Schema: s.header.Schema, Tables: len(s.header.Tables), Bytes: s.size}
	tx := client.ReadOnlyTransaction()
	defer tx.Close()
	current, err := schemaVersion(ctx, tx)
	if err != nil {
		return sum, err
	}
	if s.header.Schema > current {
		return sum, fmt.Errorf("it was written at migration %d, and this build knows %d: it takes a newer build", s.header.Schema, current)
	}
	targets, err := describe(ctx, tx)
	if err != nil {
		return sum, err
	}
	if err := fresh(ctx, tx, targets); err != nil {
		return sum, err
	}
	plans, dropped, err := s.header.plan(targets, s.header.Schema < current)
	if err != nil {
		return sum, err
	}
	sum.Dropped = dropped
	for _, p := range plans {
		n, err := s.restoreTable(ctx, client, p)
		if err != nil {
			return sum, fmt.Errorf("table %s: %w", p.source.Name, err)
		}
		sum.Rows += n
	}
	return sum, nil
}

func fresh(ctx context.Context, r reader, tables []table) error {
	for _, t := range tables {
		if t.Name == migrations {
			continue
		}
		it := r.Read(ctx, t.Name, spanner.AllKeys(), t.columns()[:1])
		found := 0
		err := it.Do(func(*spanner.Row) error {
			found++
			return errFound
		})
		if found > 0 {
			return fmt.Errorf("table %s has rows: %w", t.Name, ErrNotEmpty)
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// errFound ends a read at its first row.
var errFound = errors.New("a row")

// plan says which of a table's values go where.
type plan struct {
	source table
	names  []string // of the columns that are restored
	keep   []int    // their places in a row; none: the table is no more
}

func (h header) plan(targets []table, older bool) (plans []plan, dropped []string, err error) {
	for _, t := range h.Tables {
		p := plan{source: t}
		i := slices.IndexFunc(targets, func(to table) bool { return to.Name == t.Name })
		if i < 0 {
			if !older {
				return nil, nil, fmt.Errorf("the database has no table %s", t.Name)
			}
			plans, dropped = append(plans, p), append(dropped, t.Name)
			continue
		}
		for at, c := range t.Columns {
			j := slices.IndexFunc(targets[i].Columns, func(to column) bool { return to.Name == c.Name })
			switch {
			case j < 0 && older:
				dropped = append(dropped, t.Name+"."+c.Name)
				continue
			case j < 0:
				return nil, nil, fmt.Errorf("the database has no column %s.%s", t.Name, c.Name)
			case plain(c.Type) != plain(targets[i].Columns[j].Type):
				return nil, nil, fmt.Errorf("column %s.%s is %s in the snapshot and %s in the database", t.Name, c.Name, c.Type, targets[i].Columns[j].Type)
			}
			p.names, p.keep = append(p.names, c.Name), append(p.keep, at)
		}
		plans = append(plans, p)
	}
	return plans, dropped, nil
}

var length = regexp.MustCompile(`\([^)]*\)`)

// plain is a type without its length, which a migration may change.
func plain(t string) string { return length.ReplaceAllString(t, "") }

// A batch stays far below Spanner's 80,000 mutations and 100 MiB a commit, its
// indexes included. The emulator's time for a commit grows faster than its rows:
// 20,000 rows take 3 s by 50, 16 s by 1,000.
const (
	maxRows  = 50
	maxCells = 10_000
	maxBytes = 4 << 20
)

func (s *snapshot) restoreTable(ctx context.Context, client *spanner.Client, p plan) (total int, err error) {
	var batch []*structpb.ListValue
	bytes := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := write(ctx, client, p, batch)
		total, batch, bytes = total+len(batch), nil, 0
		return err
	}
	for {
		row, size, err := s.row()
		if err != nil {
			return total, err
		}
		if row == nil {
			return total, flush()
		}
		if len(row.GetValues()) != len(p.source.Columns) {
			return total, fmt.Errorf("a row of %d values for %d columns", len(row.GetValues()), len(p.source.Columns))
		}
		if len(p.keep) == 0 {
			continue
		}
		if len(batch) > 0 && (len(batch) == maxRows || (len(batch)+1)*len(p.keep) > maxCells || bytes+size > maxBytes) {
			if err := flush(); err != nil {
				return total, err
			}
		}
		values := make([]*structpb.Value, len(p.keep))
		for to, from := range p.keep {
			values[to] = row.GetValues()[from]
		}
		batch, bytes = append(batch, &structpb.ListValue{Values: values}), bytes+size
	}
}

// write may be tried again after an unclear answer: the same values once more
// change nothing. SchemaMigrations has rows already; they become the old ones.
func write(ctx context.Context, client *spanner.Client, p plan, batch []*structpb.ListValue) error {
	m, err := spanner.WrapMutation(&spannerpb.Mutation{Operation: &spannerpb.Mutation_InsertOrUpdate{
		InsertOrUpdate: &spannerpb.Mutation_Write{Table: p.source.Name, Columns: p.names, Values: batch},
	}})
	if err != nil {
		return err
	}
	_, err = client.Apply(ctx, []*spanner.Mutation{m}, spanner.ApplyAtLeastOnce())
	return err
}
