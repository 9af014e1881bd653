package stores

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	instance "cloud.google.com/go/spanner/admin/instance/apiv1"
	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/schema"
)

func local(host string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(host), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

// OpenDatabase is a client of the database in the emulator at host.
func OpenDatabase(ctx context.Context, host, name string) (*spanner.Client, error) {
	return spanner.NewClientWithConfig(ctx, name, spanner.ClientConfig{DisableNativeMetrics: true}, local(host)...)
}

// CreateDatabase makes the database projects/P/instances/I/databases/D in the
// emulator at host, its instance too, and applies all migrations.
func CreateDatabase(ctx context.Context, host, name string) error {
	opts := local(host)
	parts := strings.Split(name, "/")
	if len(parts) != 6 {
		return fmt.Errorf("database %q is not projects/P/instances/I/databases/D", name)
	}
	if err := createInstance(ctx, opts, parts[1], parts[3]); err != nil {
		return fmt.Errorf("create instance: %w", err)
	}
	admin, err := database.NewDatabaseAdminClient(ctx, opts...)
	if err != nil {
		return err
	}
	defer admin.Close()
	op, err := admin.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{
		Parent: strings.Join(parts[:4], "/"), CreateStatement: "CREATE DATABASE `" + parts[5] + "`",
	})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("create database: %w", err)
	}
	client, err := OpenDatabase(ctx, host, name)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = schema.Apply(ctx, admin, client)
	return err
}

func createInstance(ctx context.Context, opts []option.ClientOption, project, id string) error {
	admin, err := instance.NewInstanceAdminClient(ctx, opts...)
	if err != nil {
		return err
	}
	defer admin.Close()
	op, err := admin.CreateInstance(ctx, &instancepb.CreateInstanceRequest{
		Parent: "projects/" + project, InstanceId: id,
		Instance: &instancepb.Instance{Config: "projects/" + project + "/instanceConfigs/emulator-config", DisplayName: id, NodeCount: 1},
	})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	if status.Code(err) == codes.AlreadyExists {
		return nil
	}
	return err
}
