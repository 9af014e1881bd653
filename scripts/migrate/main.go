// Command migrate brings a Spanner database up to the newest migration.
//
//	go run ./scripts/migrate projects/P/instances/I/databases/D
//
// It honours SPANNER_EMULATOR_HOST.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"

	"github.com/segue-audio/segue/shared/schema"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: migrate projects/P/instances/I/databases/D")
	}
	admin, err := database.NewDatabaseAdminClient(ctx)
	if err != nil {
		return err
	}
	defer admin.Close()
	client, err := spanner.NewClientWithConfig(ctx, args[0], spanner.ClientConfig{DisableNativeMetrics: true})
	if err != nil {
		return err
	}
	defer client.Close()
	applied, err := schema.Apply(ctx, admin, client)
	for _, m := range applied {
		fmt.Printf("applied %04d_%s\n", m.Version, m.Name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Println("nothing to apply")
	}
	return err
}
