package state

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/spanner"
)

const (
	tablesSQL = `SELECT TABLE_SCHEMA, TABLE_NAME, IFNULL(PARENT_TABLE_NAME, '') FROM INFORMATION_SCHEMA.TABLES
WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('INFORMATION_SCHEMA', 'SPANNER_SYS')`
	columnsSQL = `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SPANNER_TYPE FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA NOT IN ('INFORMATION_SCHEMA', 'SPANNER_SYS') AND IS_GENERATED = 'NEVER'
ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`
	foreignSQL = `SELECT c.TABLE_SCHEMA, c.TABLE_NAME, u.TABLE_SCHEMA, u.TABLE_NAME
FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS AS r
JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c ON c.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = r.CONSTRAINT_NAME
JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS u ON u.CONSTRAINT_SCHEMA = r.UNIQUE_CONSTRAINT_SCHEMA AND u.CONSTRAINT_NAME = r.UNIQUE_CONSTRAINT_NAME`
)

// describe lists the tables, each after those that its rows hang on: its parent
// and what its foreign keys lead to.
func describe(ctx context.Context, r reader) ([]table, error) {
	needs := map[string][]string{}
	var names []string
	err := rows(ctx, r, tablesSQL, 3, func(v []string) {
		name := qualified(v[0], v[1])
		names, needs[name] = append(names, name), nil
		if v[2] != "" {
			needs[name] = []string{qualified(v[0], v[2])}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	columns := map[string][]column{}
	err = rows(ctx, r, columnsSQL, 4, func(v []string) {
		name := qualified(v[0], v[1])
		columns[name] = append(columns[name], column{Name: v[2], Type: v[3]})
	})
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	err = rows(ctx, r, foreignSQL, 4, func(v []string) {
		from, to := qualified(v[0], v[1]), qualified(v[2], v[3])
		if from != to {
			needs[from] = append(needs[from], to)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list foreign keys: %w", err)
	}
	slices.Sort(names)
	order, err := sorted(names, needs)
	if err != nil {
		return nil, err
	}
	all := make([]table, 0, len(order))
	for _, name := range order {
		all = append(all, table{Name: name, Columns: columns[name]})
	}
	return all, nil
}

func qualified(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

func rows(ctx context.Context, r reader, sql string, columns int, each func([]string)) error {
	return r.Query(ctx, spanner.NewStatement(sql)).Do(func(row *spanner.Row) error {
		values, ptrs := make([]string, columns), make([]any, columns)
		for i := range values {
			ptrs[i] = &values[i]
		}
		if err := row.Columns(ptrs...); err != nil {
			return err
		}
		each(values)
		return nil
	})
}

// sorted puts every name after those that it needs.
func sorted(names []string, needs map[string][]string) ([]string, error) {
	const working, done = 1, 2
	marks := map[string]int{}
	var order []string
	var visit func(string) error
	visit = func(name string) error {
		switch marks[name] {
		case done:
			return nil
		case working:
			return fmt.Errorf("table %s and another lead to each other with foreign keys: there is no order to restore them in", name)
		}
		marks[name] = working
		for _, n := range needs[name] {
			if err := visit(n); err != nil {
				return err
			}
		}
		marks[name] = done
		order = append(order, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// schemaVersion is the newest migration of the database.
func schemaVersion(ctx context.Context, r reader) (int64, error) {
	newest := int64(0)
	err := r.Read(ctx, migrations, spanner.AllKeys(), []string{"Version"}).Do(func(row *spanner.Row) error {
		var v int64
		err := row.Columns(&v)
		newest = max(newest, v)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return newest, nil
}
