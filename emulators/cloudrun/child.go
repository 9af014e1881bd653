package cloudrun

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/cloudevents/sdk-go/v2/event"

	// Linked, so that the child has functions to serve.
	_ "github.com/segue-audio/segue/functions/all"
	"github.com/segue-audio/segue/shared/drain"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// portVariable makes a program that calls Child the functions' process.
const portVariable = "SEGUE_FUNCTIONS_PORT"

// Child serves the functions, and never returns, in a process that Host
// started; elsewhere it does nothing. main calls it first. With FUNCTION_TARGET
// the process is that one function, as a deployed one is.
func Child() {
	port := os.Getenv(portVariable)
	if port == "" {
		return
	}
	telemetry.SetDefault(os.Stderr, os.Getenv("SEGUE_PROJECT"))
	drain.Watch()
	if err := serve(port); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}

func serve(port string) error {
	if err := telemetry.Start(); err != nil {
		return err
	}
	target := os.Getenv("FUNCTION_TARGET")
	ctx := context.Background()
	for _, f := range registry.All() {
		if target != "" && f.Name != target {
			continue
		}
		if err := f.Ready(); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if target != "" {
			break
		}
		if err := mount(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return funcframework.StartHostPort("127.0.0.1", port)
}

// mount gives a function all paths below its name: without FUNCTION_TARGET the
// framework gives each the one exact path of its name.
func mount(ctx context.Context, f registry.Function) error {
	prefix := "/" + f.Name + "/"
	if f.HTTP != nil {
		h := http.StripPrefix("/"+f.Name, f.HTTP)
		return funcframework.RegisterHTTPFunctionContext(ctx, prefix, h.ServeHTTP)
	}
	return funcframework.RegisterCloudEventFunctionContext(ctx, prefix, func(ctx context.Context, e event.Event) error {
		return f.CloudEvent(ctx, e)
	})
}
