package ingesttest

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
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/registry"
)

// These make of a test's program one function, wired as in production, which
// handles the event on its standard input.
const (
	functionVariable = "SEGUE_TEST_FUNCTION"
	topicVariable    = "SEGUE_TEST_TOPIC"
)

// Main is emutest.Main for a package whose tests call Die.
func Main(m *testing.M) {
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
	e.SetSource("//pubsub.googleapis.com/projects/test/topics/" + os.Getenv(topicVariable))
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

// Die runs a function in a process that ends at a point of its work. The event
// is a message of ours, or a bucket's notification in its attributes. The
// function's package is one that the test's program links.
func Die(t *testing.T, environment []string, function string, m proto.Message, attributes map[string]string, point string) {
	t.Helper()
	var data []byte
	topic := ""
	if m != nil {
		var err error
		if data, err = proto.Marshal(m); err != nil {
			t.Fatal(err)
		}
		topic = event.Topic(m)
	}
	body, err := json.Marshal(map[string]any{"message": map[string]any{"data": data, "attributes": attributes, "messageId": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), environment...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0", functionVariable+"="+function, topicVariable+"="+topic, crash.Variable+"="+point)
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != crash.Status || !bytes.Contains(out, []byte("crash at "+point)) {
		t.Fatalf("%s did not die at %s, but ended with %v: %s", function, point, err, out)
	}
}
