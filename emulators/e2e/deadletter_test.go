package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
)

// What no delivery gets done ends in the dead letters, with the reason, and an
// operator sees it there and sends it again.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	dlq := filepath.Join(t.TempDir(), "dlq")
	if err := build(dlq, "scripts/dlq"); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(within(t, time.Minute), dlq, args...)
		cmd.Env = os.Environ()
		for k, v := range segue.env(t) {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("dlq %v: %v: %s", args, err, complaints.String())
		}
		return string(out)
	}
	publisher := segue.topics(t).Publisher("track-analyzed")
	defer publisher.Stop()
	if _, err := publisher.Publish(t.Context(), &pubsub.Message{Data: []byte("\xff no protobuf"), Attributes: map[string]string{"event_id": "e2e"}}).Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	type letter struct {
		ID       string `json:"id"`
		Function string `json:"function"`
		Topic    string `json:"topic"`
		Error    string `json:"error"`
	}
	list := func(more ...string) (letters []letter) {
		t.Helper()
		out := run(append([]string{"list", "--json", "--topic", "track-analyzed"}, more...)...)
		for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
			var l letter
			if err := d.Decode(&l); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			letters = append(letters, l)
		}
		return letters
	}
	var found []letter
	for deadline := time.Now().Add(2 * time.Minute); len(found) == 0; wait(t) {
		if found = list(); time.Now().After(deadline) {
			t.Fatal("there is no dead letter")
		}
	}
	l := found[0]
	if len(found) != 1 || l.Function != "ingest-publish" || !strings.Contains(l.Error, "decode") {
		t.Fatalf("the letters are %+v", found)
	}
	if shown := run("show", l.ID); !strings.Contains(shown, l.Error) || !strings.Contains(shown, "ingest-publish") {
		t.Errorf("show: %s", shown)
	}
	run("replay", l.ID)
	if left := list(); len(left) != 0 {
		t.Errorf("after the replay: %+v", left)
	}
	if all := list("--all"); len(all) != 1 || all[0].ID != l.ID {
		t.Errorf("with the replayed: %+v", all)
	}
}
