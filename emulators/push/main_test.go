package push

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	ff "github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	emulator "github.com/segue-audio/segue/emulators/pubsub"
)

const patience = 60 * time.Second

// frameworkPort, when it is set, makes the test binary a function instead.
const frameworkPort = "SEGUE_TEST_FRAMEWORK_PORT"

// shared is the one emulator of this package's tests.
var shared *emulator.Emulator

func TestMain(m *testing.M) {
	if port := os.Getenv(frameworkPort); port != "" {
		os.Exit(serveFunction(port))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	shared = emulator.New(emulator.Options{})
	if err := shared.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = shared.Stop(context.Background()) }()
	return leak.Main(m.Run)
}

// serveFunction is a function as it is deployed: its own process, which the
// Functions Framework serves. It prints each event as a line of JSON.
func serveFunction(port string) int {
	ff.CloudEvent("ingest-probe", func(_ context.Context, e cloudevents.Event) error {
		return json.NewEncoder(os.Stdout).Encode(e)
	})
	if err := funcframework.StartHostPort("127.0.0.1", port); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}
