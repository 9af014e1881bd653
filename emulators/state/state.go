// Package state keeps the rows of a Spanner database in one file between runs,
// since the emulator forgets them: Exporter writes the file, Import reads it
// into a fresh, migrated database.
//
// It is not a backup of production, and it knows no domain: tables and columns
// come from the database's own INFORMATION_SCHEMA.
//
// # The file
//
// A line of text with the format's version; a gzip stream; the SHA-256 of all
// bytes before it. The stream is a row of frames, each with its length before
// it: the header (JSON: the schema's version, the tables and their columns, a
// parent before its children), then for each table its rows and an empty frame.
// A row is Spanner's own wire form of its values (google.protobuf.ListValue),
// so that nothing is converted and nothing can be lost on the way.
//
// # What a death leaves
//
// An export reads one consistent snapshot, writes beside the file, syncs and
// renames: die where it may, the file is the old one or the new one, whole. An
// import checks the whole file before it writes its first row. It takes many
// commits; one that fails or dies half-way leaves a database that is to be
// thrown away, which the caller is told by the error.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cloud.google.com/go/spanner"
)

// magic is the first line of a file.
const (
	family  = "segue-spanner-snapshot "
	version = "1"
	magic   = family + version + "\n"
)

// ErrNotEmpty is the refusal to restore into a database that has rows.
var ErrNotEmpty = errors.New("a snapshot is restored into a fresh database only")

// Summary says what was written or read.
type Summary struct {
	Schema  int64 // the newest migration
	Tables  int
	Rows    int
	Bytes   int64 // of the file
	Written bool  // false: the file held the same already
	// Dropped are the tables and columns of an older snapshot that the schema
	// has given up since; their values are not restored.
	Dropped []string
}

// header is the first frame.
type header struct {
	Schema int64   `json:"schema"`
	Tables []table `json:"tables"`
}

// table lists what is stored: generated columns are made anew.
type table struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"` // STRING(22), ARRAY<INT64> …
}

func (t table) columns() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

func parseHeader(frame []byte) (h header, err error) {
	if err := json.Unmarshal(frame, &h); err != nil {
		return h, fmt.Errorf("its header cannot be read: %w", err)
	}
	for _, t := range h.Tables {
		if t.Name == "" || len(t.Columns) == 0 {
			return h, fmt.Errorf("its header has a table %q of %d columns", t.Name, len(t.Columns))
		}
	}
	return h, nil
}

// migrations is the table that shared/schema records itself in.
const migrations = "SchemaMigrations"

// reader is a snapshot in time, or single reads.
type reader interface {
	Read(ctx context.Context, table string, keys spanner.KeySet, columns []string) *spanner.RowIterator
	Query(ctx context.Context, statement spanner.Statement) *spanner.RowIterator
}
