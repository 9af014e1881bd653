package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/registry"
)

// functionVariable makes of the test's program one function, wired as in
// production, which handles the event on its standard input.
const functionVariable = "SEGUE_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if name := os.Getenv(functionVariable); name != "" {
		if err := handle(name, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	emutest.Main(m)
}

func handle(name string, in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	e := ce.New()
	e.SetID("1")
	e.SetSource("test")
	e.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	if err := e.SetData(ce.ApplicationJSON, json.RawMessage(data)); err != nil {
		return err
	}
	for _, f := range registry.All() {
		if f.Name == name {
			return f.CloudEvent(context.Background(), e)
		}
	}
	return fmt.Errorf("there is no function %s", name)
}

// die runs a function in a process that ends at a point of its work.
func die(t *testing.T, environment []string, function string, m proto.Message, attributes map[string]string, point string) {
	t.Helper()
	var data []byte
	if m != nil {
		var err error
		if data, err = proto.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(map[string]any{"message": map[string]any{"data": data, "attributes": attributes, "messageId": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), environment...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0", functionVariable+"="+function, crash.Variable+"="+point)
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != crash.Status || !bytes.Contains(out, []byte("crash at "+point)) {
		t.Fatalf("%s did not die at %s, but ended with %v: %s", function, point, err, out)
	}
}
