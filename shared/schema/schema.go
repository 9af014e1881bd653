// Package schema holds the Spanner tables as numbered migrations and applies
// them: emulators, tests and production use the same files. Forward only.
package schema

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
)

//go:embed migrations/*.sql
var files embed.FS

// Migration is one numbered file.
type Migration struct {
	Version    int64
	Name       string
	Statements []string
}

var fileForm = regexp.MustCompile(`^(\d{4})_([a-z_]+)\.sql$`)

// Migrations lists all, in order.
func Migrations() ([]Migration, error) {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for i, e := range entries {
		m := fileForm.FindStringSubmatch(e.Name())
		if m == nil {
			return nil, fmt.Errorf("migration %s is not named NNNN_name.sql", e.Name())
		}
		version, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || version != int64(i+1) {
			return nil, fmt.Errorf("migration %s: number %d is next", e.Name(), i+1)
		}
		text, err := files.ReadFile("migrations/" + e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Version: version, Name: m[2], Statements: split(string(text))})
	}
	return all, nil
}

var comment = regexp.MustCompile(`(?m)--.*$`)

func split(text string) []string {
	var out []string
	for s := range strings.SplitSeq(comment.ReplaceAllString(text, ""), ";") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

const versionTable = `CREATE TABLE IF NOT EXISTS SchemaMigrations (
  Version   INT64 NOT NULL,
  Name      STRING(100) NOT NULL,
  AppliedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Version)`

// Apply brings the database up to the newest migration and returns what it
// applied. Each statement says IF NOT EXISTS: when the process dies between a
// migration and its record, or two run at once, it is simply applied again.
func Apply(ctx context.Context, admin *database.DatabaseAdminClient, client *spanner.Client) ([]Migration, error) {
	all, err := Migrations()
	if err != nil {
		return nil, err
	}
	db := client.DatabaseName()
	if err := ddl(ctx, admin, db, versionTable); err != nil {
		return nil, err
	}
	applied, err := recorded(ctx, client)
	if err != nil {
		return nil, err
	}
	var done []Migration
	for _, m := range all {
		if applied[m.Version] {
			continue
		}
		if err := ddl(ctx, admin, db, m.Statements...); err != nil {
			return done, fmt.Errorf("migration %04d_%s: %w", m.Version, m.Name, err)
		}
		_, err := client.Apply(ctx, []*spanner.Mutation{spanner.InsertOrUpdate("SchemaMigrations",
			[]string{"Version", "Name", "AppliedAt"}, []any{m.Version, m.Name, spanner.CommitTimestamp})})
		if err != nil {
			return done, fmt.Errorf("record migration %04d_%s: %w", m.Version, m.Name, err)
		}
		done = append(done, m)
	}
	for v := range applied {
		if v > int64(len(all)) {
			return done, fmt.Errorf("the database is at migration %d, which this build does not know: it is older than the database", v)
		}
	}
	return done, nil
}

func ddl(ctx context.Context, admin *database.DatabaseAdminClient, db string, statements ...string) error {
	op, err := admin.UpdateDatabaseDdl(ctx, &databasepb.UpdateDatabaseDdlRequest{Database: db, Statements: statements})
	if err != nil {
		return err
	}
	return op.Wait(ctx)
}

func recorded(ctx context.Context, client *spanner.Client) (map[int64]bool, error) {
	versions := map[int64]bool{}
	err := client.Single().Read(ctx, "SchemaMigrations", spanner.AllKeys(), []string{"Version"}).Do(func(r *spanner.Row) error {
		var v int64
		err := r.Columns(&v)
		versions[v] = true
		return err
	})
	return versions, err
}
