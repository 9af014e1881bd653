package state_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/state"
)

func artist(id string) *spanner.Mutation {
	return spanner.InsertMap("Artists", map[string]any{
		"ArtistId": id, "LabelId": "label", "Name": id, "NameKey": id, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	})
}

func assertEmpty(t *testing.T, client *spanner.Client) {
	t.Helper()
	if rows := content(t, client, "SELECT ArtistId FROM Artists"); len(rows) != 0 {
		t.Errorf("%d rows were restored all the same", len(rows))
	}
}

func TestDamageIsRefusedByName(t *testing.T) {
	t.Parallel()
	from, to := emutest.Database(t), emutest.Database(t)
	apply(t, from, artist("a"), artist("b"))
	good, err := os.ReadFile(export(t, from))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(at int) []byte {
		b := append([]byte{}, good...)
		b[at] ^= 0x40
		return b
	}
	files := map[string][]byte{"empty": {}, "longer": append(append([]byte{}, good...), 0), "other": []byte("#!/bin/sh\n" + strings.Repeat("x", 100))}
	for _, n := range []int{1, 20, 25, 26, 57, 58, len(good) / 2, len(good) - 32, len(good) - 1} {
		files["cut"+strings.Repeat("i", n%31)+"-"+time.Duration(n).String()] = good[:n]
	}
	for at := 0; at < len(good); at += 7 {
		files["flipped-"+time.Duration(at).String()] = edit(at)
	}
	dir := t.TempDir()
	for name, b := range files {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := state.Import(t.Context(), to, file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assertEmpty(t, to)
	if _, err := state.Import(t.Context(), to, filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestFormatOfTheFutureIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(file, []byte("segue-spanner-snapshot 2\n"+strings.Repeat("x", 99)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := state.Import(t.Context(), emutest.Database(t), file)
	if err == nil || !strings.Contains(err.Error(), `it has format "2", which this build does not know: it reads 1`) {
		t.Errorf("format 2: %v", err)
	}
}

func TestOnlyAFreshDatabaseIsFilled(t *testing.T) {
	t.Parallel()
	from, to := emutest.Database(t), emutest.Database(t)
	apply(t, from, artist("a"))
	apply(t, to, artist("b"))
	_, err := state.Import(t.Context(), to, export(t, from))
	if !errors.Is(err, state.ErrNotEmpty) || !strings.Contains(err.Error(), "table Artists has rows") {
		t.Errorf("into a database with rows: %v", err)
	}
	if rows := content(t, to, "SELECT ArtistId FROM Artists"); len(rows) != 1 || rows[0][0].GetStringValue() != "b" {
		t.Errorf("its rows are now %v", rows)
	}
}

func TestSchemasThatDiffer(t *testing.T) {
	t.Parallel()
	migration := func(v int64) *spanner.Mutation {
		return spanner.InsertMap("SchemaMigrations", map[string]any{"Version": v, "Name": "test", "AppliedAt": spanner.CommitTimestamp})
	}
	for _, test := range []struct {
		name     string
		from, to []string // statements
		later    string   // which of them is a migration ahead
		dropped  string
		refused  string
	}{
		{name: "newer snapshot", later: "from", refused: "it was written at migration 1000, and this build knows"},
		{name: "older snapshot, new column", to: []string{"ALTER TABLE Artists ADD COLUMN Bio STRING(MAX)", "ALTER TABLE Artists ADD COLUMN Rank INT64 NOT NULL DEFAULT (3)"}, later: "to"},
		{name: "older snapshot, longer column", to: []string{"ALTER TABLE Artists ALTER COLUMN Name STRING(2000) NOT NULL"}, later: "to"},
		{name: "older snapshot, table and column given up", from: []string{"CREATE TABLE Gone (Id INT64) PRIMARY KEY (Id)", "ALTER TABLE Artists ADD COLUMN Old STRING(MAX)"}, later: "to", dropped: "Artists.Old Gone"},
		{name: "same version, column missing", from: []string{"ALTER TABLE Artists ADD COLUMN Old STRING(MAX)"}, refused: "the database has no column Artists.Old"},
		{name: "same version, table missing", from: []string{"CREATE TABLE Gone (Id INT64) PRIMARY KEY (Id)"}, refused: "the database has no table Gone"},
		{name: "another type", from: []string{"ALTER TABLE Artists ADD COLUMN X STRING(MAX)"}, to: []string{"ALTER TABLE Artists ADD COLUMN X BYTES(MAX)"}, refused: "column Artists.X is STRING(MAX) in the snapshot and BYTES(MAX) in the database"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from, to := emutest.Database(t), emutest.Database(t)
			if test.from != nil {
				ddl(t, from, test.from...)
			}
			if test.to != nil {
				ddl(t, to, test.to...)
			}
			apply(t, from, artist("a"))
			switch test.later {
			case "from":
				apply(t, from, migration(1000))
			case "to":
				apply(t, to, migration(1000))
			}
			s, err := state.Import(t.Context(), to, export(t, from))
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("refused with %v", err)
				}
				assertEmpty(t, to)
				return
			}
			if err != nil || strings.Join(s.Dropped, " ") != test.dropped {
				t.Fatalf("restored %+v, %v", s, err)
			}
			same(t, from, to, "SELECT ArtistId, LabelId, Name, NameKey, CreatedAt, UpdatedAt FROM Artists")
		})
	}
}

func TestAnExportThatIsCutLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	file := export(t, client)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, client, artist("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := state.Exporter{Client: client, File: file}
	if _, err := e.Export(ctx); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a cut export: %v", err)
	}
	after, err := os.ReadFile(file)
	if err != nil || string(after) != string(before) {
		t.Errorf("the file changed (%v)", err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 1 {
		t.Errorf("left: %v (%v)", files, err)
	}
	s, err := e.Export(t.Context())
	if err != nil || !s.Written {
		t.Errorf("the next export: %+v, %v", s, err)
	}
	if stat, err := os.Stat(file); err != nil || stat.Mode() != 0o600 || stat.Size() != s.Bytes {
		t.Errorf("file %v (%v)", stat, err)
	}
}

func BenchmarkTwentyThousandRows(b *testing.B) {
	from := emutest.Database(b)
	for i := range 20 {
		rows := []*spanner.Mutation{}
		for j := range 1000 {
			rows = append(rows, artist(time.Duration(i*1000+j).String()))
		}
		apply(b, from, rows...)
	}
	for b.Loop() {
		start := time.Now()
		file := export(b, from)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "export-ms")
		to := emutest.Database(b)
		start = time.Now()
		s, err := state.Import(b.Context(), to, file)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "import-ms")
		b.ReportMetric(float64(s.Rows), "rows")
		b.ReportMetric(float64(s.Bytes), "bytes")
	}
}
