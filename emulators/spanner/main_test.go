package spanner_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	gospanner "cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	instance "cloud.google.com/go/spanner/admin/instance/apiv1"
	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"

	"github.com/segue-audio/segue/emulators/spanner"
)

const (
	project    = "projects/p"
	instanceID = project + "/instances/local"
	databaseID = instanceID + "/databases/main"
	counters   = "CREATE TABLE Counters (ID STRING(36) NOT NULL, N INT64 NOT NULL) PRIMARY KEY (ID)"
)

// start runs an emulator for one test and points the client library at it.
func start(t *testing.T, o spanner.Options) *spanner.Emulator {
	t.Helper()
	if o.Binary == "" {
		o.Binary = os.Getenv("SPANNER_EMULATOR_BIN")
	}
	e := spanner.New(o)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("SPANNER_EMULATOR_HOST", e.Host())
	return e
}

// open starts an emulator and returns a client of a database with one table.
func open(t *testing.T, o spanner.Options) *gospanner.Client {
	t.Helper()
	start(t, o)
	createDatabase(t)
	return client(t)
}

func client(t *testing.T) *gospanner.Client {
	t.Helper()
	c, err := gospanner.NewClient(t.Context(), databaseID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createDatabase(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	instances, err := instance.NewInstanceAdminClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = instances.Close() }()
	creating, err := instances.CreateInstance(ctx, &instancepb.CreateInstanceRequest{
		Parent: project, InstanceId: "local",
		Instance: &instancepb.Instance{Config: project + "/instanceConfigs/emulator-config", DisplayName: "local", NodeCount: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := creating.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	admin := databases(t)
	op, err := admin.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{
		Parent: instanceID, CreateStatement: "CREATE DATABASE main", ExtraStatements: []string{counters},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

func databases(t *testing.T) *database.DatabaseAdminClient {
	t.Helper()
	admin, err := database.NewDatabaseAdminClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

func insert(id string, n int64) *gospanner.Mutation {
	return gospanner.Insert("Counters", []string{"ID", "N"}, []any{id, n})
}

// fill inserts rows r0, r1, ... whose N is their number.
func fill(t *testing.T, c *gospanner.Client, rows int) {
	t.Helper()
	var ms []*gospanner.Mutation
	for i := range rows {
		ms = append(ms, insert(fmt.Sprintf("r%d", i), int64(i)))
	}
	if _, err := c.Apply(t.Context(), ms); err != nil {
		t.Fatal(err)
	}
}

// reader is what reads a row in whatever transaction.
type reader interface {
	ReadRow(ctx context.Context, table string, key gospanner.Key, columns []string) (*gospanner.Row, error)
}

func number(ctx context.Context, from reader, id string) (int64, error) {
	row, err := from.ReadRow(ctx, "Counters", gospanner.Key{id}, []string{"N"})
	if err != nil {
		return 0, err
	}
	var n int64
	return n, row.Column(0, &n)
}
