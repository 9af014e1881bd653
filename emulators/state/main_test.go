package state_test

import (
	"context"
	"path/filepath"
	"testing"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/state"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// shapes are tables of every type, with a parent whose name sorts after its
// child's, a foreign key, and columns that the database makes itself.
var shapes = []string{
	`CREATE TABLE Zoo (Id INT64 NOT NULL, Name STRING(MAX), Loud STRING(MAX) AS (UPPER(Name)) STORED) PRIMARY KEY (Id)`,
	`CREATE TABLE Animals (Id INT64 NOT NULL, N INT64 NOT NULL) PRIMARY KEY (Id, N), INTERLEAVE IN PARENT Zoo ON DELETE CASCADE`,
	`CREATE TABLE Aliases (Id INT64 NOT NULL, Whose INT64, CONSTRAINT AliasOf FOREIGN KEY (Whose) REFERENCES Zoo (Id)) PRIMARY KEY (Id)`,
	`CREATE TABLE Shapes (
  Id INT64 NOT NULL, B BOOL, I INT64, F FLOAT64, R FLOAT32, N NUMERIC, S STRING(MAX), Y BYTES(MAX), D DATE, T TIMESTAMP, J JSON,
  Committed TIMESTAMP OPTIONS (allow_commit_timestamp = true),
  ListB ARRAY<BOOL>, ListI ARRAY<INT64>, ListF ARRAY<FLOAT64>, ListN ARRAY<NUMERIC>, ListS ARRAY<STRING(MAX)>, ListY ARRAY<BYTES(MAX)>,
  ListD ARRAY<DATE>, ListT ARRAY<TIMESTAMP>, ListJ ARRAY<JSON>,
) PRIMARY KEY (Id)`,
	`CREATE UNIQUE INDEX ShapesByI ON Shapes(I, Id) STORING (Y)`,
}

func ddl(t testing.TB, client *spanner.Client, statements ...string) {
	t.Helper()
	admin, err := database.NewDatabaseAdminClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	op, err := admin.UpdateDatabaseDdl(t.Context(), &databasepb.UpdateDatabaseDdlRequest{Database: client.DatabaseName(), Statements: statements})
	if err == nil {
		err = op.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, client *spanner.Client, rows ...*spanner.Mutation) {
	t.Helper()
	if _, err := client.Apply(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
}

// content is all rows of a table, as Spanner sends them.
func content(t testing.TB, client *spanner.Client, sql string) [][]*structpb.Value {
	t.Helper()
	var all [][]*structpb.Value
	err := client.Single().Query(context.Background(), spanner.NewStatement(sql)).Do(func(r *spanner.Row) error {
		var row []*structpb.Value
		for i := range r.Size() {
			row = append(row, r.ColumnValue(i))
		}
		all = append(all, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t testing.TB, a, b *spanner.Client, sql string) {
	t.Helper()
	if diff := cmp.Diff(content(t, a, sql), content(t, b, sql), protocmp.Transform()); diff != "" {
		t.Errorf("%s differs (-exported +restored):\n%s", sql, diff)
	}
}

func export(t testing.TB, client *spanner.Client) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spanner.snapshot")
	e := state.Exporter{Client: client, File: file}
	if _, err := e.Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	return file
}
