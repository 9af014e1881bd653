package schema_test

import (
	"testing"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/schema"
)

func TestMain(m *testing.M) { emutest.Main(m) }

func TestApply(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t) // which applies them a first time
	admin, err := database.NewDatabaseAdminClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	all, err := schema.Migrations()
	if err != nil || len(all) == 0 {
		t.Fatalf("migrations = %v, %v", all, err)
	}
	done, err := schema.Apply(t.Context(), admin, client)
	if err != nil || len(done) != 0 {
		t.Errorf("a second run applied %v, %v; want nothing", done, err)
	}
	// As after a death between a migration and its record.
	forget(t, client)
	done, err = schema.Apply(t.Context(), admin, client)
	if err != nil || len(done) != len(all) {
		t.Errorf("after a lost record, %d of %d applied: %v", len(done), len(all), err)
	}
}

func TestApplyRefusesADatabaseFromTheFuture(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	record(t, client, 9999)
	admin, err := database.NewDatabaseAdminClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := schema.Apply(t.Context(), admin, client); err == nil {
		t.Error("a database of migration 9999 was accepted")
	}
}

func forget(t *testing.T, client *spanner.Client) {
	t.Helper()
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("SchemaMigrations", spanner.AllKeys())}); err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, client *spanner.Client, version int64) {
	t.Helper()
	_, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.InsertMap("SchemaMigrations", map[string]any{
		"Version": version, "Name": "from_the_future", "AppliedAt": spanner.CommitTimestamp,
	})})
	if err != nil {
		t.Fatal(err)
	}
}
