package spanner_test

import (
	"strings"
	"testing"

	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/emulators/spanner"
)

func TestAdminCallsPassThrough(t *testing.T) {
	c := open(t, spanner.Options{}) // creates an instance and a database
	admin := databases(t)
	op, err := admin.UpdateDatabaseDdl(t.Context(), &databasepb.UpdateDatabaseDdlRequest{
		Database: databaseID, Statements: []string{"ALTER TABLE Counters ADD COLUMN Note STRING(10)"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ddl, err := admin.GetDatabaseDdl(t.Context(), &databasepb.GetDatabaseDdlRequest{Database: databaseID})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ddl.Statements, ";"); !strings.Contains(got, "Note STRING(10)") {
		t.Errorf("the schema is %q", got)
	}
	fill(t, c, 1)
	if _, err := c.Single().ReadRow(t.Context(), "Counters", []any{"r0"}, []string{"Note"}); err != nil {
		t.Errorf("read the new column: %v", err)
	}
}

func TestAdminErrorsPassThrough(t *testing.T) {
	start(t, spanner.Options{})
	_, err := databases(t).GetDatabaseDdl(t.Context(), &databasepb.GetDatabaseDdlRequest{Database: databaseID})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), instanceID) {
		t.Errorf("got %v", err)
	}
}
