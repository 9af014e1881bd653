package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
)

const asCommand = "SEGUE_TEST_DLQ" // makes the test's program the command

func TestMain(m *testing.M) {
	if args := os.Getenv(asCommand); args != "" {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
	}
	emutest.Main(m)
}

type world struct {
	stores
	topics *pubsub.Client
	out    bytes.Buffer
	err    bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	writer, topics := emutest.Writer(t)
	return &world{stores: stores{writer.Spanner, writer.Publisher}, topics: topics}
}

// dlq runs the command and asks for its exit code.
func (w *world) dlq(t *testing.T, want int, args ...string) (out, messages string) {
	t.Helper()
	w.out.Reset()
	w.err.Reset()
	a := &app{out: &w.out, err: &w.err, now: time.Now, open: func(context.Context) (stores, error) { return w.stores, nil }}
	if got := a.run(t.Context(), args); got != want {
		t.Errorf("dlq %v: exit %d, want %d: %s", args, got, want, w.err.String())
	}
	return w.out.String(), w.err.String()
}

const dead = "CloudPubSubDeadLetterSource"

func (w *world) keep(t *testing.T, d event.DeadLetter) string {
	t.Helper()
	l, first, err := deadletter.Keep(t.Context(), w.spanner, d, "")
	if err != nil || !first {
		t.Fatalf("first %v, %v", first, err)
	}
	return l.ID
}

// dying is one of a function's that died on this topic.
func dying(t *testing.T, subscription string, m proto.Message) event.DeadLetter {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return event.NewDeadLetter(id.Random(), data, map[string]string{
		"id": id.Random(), "time": "2026-03-01T12:00:00Z", dead + "Subscription": subscription, dead + "DeliveryCount": "10",
		dead + "SubscriptionProject": "p", dead + "TopicPublishTime": "2026-03-01T12:00:00Z",
	})
}

var changed = &eventpb.CatalogChanged{Kind: "track", Id: "a"}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out, messages := w.dlq(t, 0, "list"); out != "" || messages != "no dead letters\n" {
		t.Errorf("%q %q", out, messages)
	}
	a := w.keep(t, dying(t, "one-f.catalog-changed", changed))
	b := w.keep(t, dying(t, "two-f.track-analyzed", changed))
	c := w.keep(t, event.NewDeadLetter("m", nil, nil))
	if err := deadletter.Replayed(t.Context(), w.spanner, b); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string][]string{
		"":                             {c, a},
		"--all":                        {c, b, a},
		"--all --limit 2":              {c, b},
		"--function one-f":             {a},
		"--topic track-analyzed":       {},
		"--topic track-analyzed --all": {b},
		"--since 1h":                   {c, a},
		"--since 1ms":                  {},
		"--since 2020-01-01T00:00:00Z": {c, a},
		"--since 2120-01-01T00:00:00Z": {},
	} {
		out, _ := w.dlq(t, 0, append([]string{"list", "--json"}, strings.Fields(args)...)...)
		got := []string{}
		for line := range strings.Lines(out) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.FirstSeen == "" || l.Error != "unknown" {
				t.Errorf("%s: %s, %v", args, line, err)
			}
			got = append(got, l.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("list %s: %v, want %v", args, got, want)
		}
	}
	out, _ := w.dlq(t, 0, "list")
	if lines := strings.Split(out, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "ID ") || !strings.Contains(lines[1], "unknown") || !strings.Contains(lines[2], "one-f") {
		t.Errorf("%s", out)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := dying(t, "one-f.catalog-changed", changed)
	bad.Data = []byte("\xff")
	for name, c := range map[string]struct {
		event.DeadLetter
		say string
	}{
		"ours":           {dying(t, "one-f.catalog-changed", changed), `"kind": "track"`},
		"undecodable":    {bad, "data (it is no CatalogChanged: "},
		"a notification": {event.NewDeadLetter("1", []byte(`{"name": "uploads/x"}`), map[string]string{dead + "Subscription": "a-b.upload-finalized", "objectId": "uploads/x"}), `"name": "uploads/x"`},
		"nothing":        {event.NewDeadLetter("2", nil, nil), "data is empty"},
	} {
		letter := w.keep(t, c.DeadLetter)
		out, _ := w.dlq(t, 0, "show", letter)
		if !strings.Contains(out, c.say) || !strings.Contains(out, letter) || !strings.Contains(out, "error         unknown") {
			t.Errorf("%s: %s", name, out)
		}
		if out, _ = w.dlq(t, 0, "show", letter, "--json"); !json.Valid([]byte(out)) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// What is replayed is the same event on its topic, and what dies again names it.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := dying(t, "one-f.catalog-changed", changed)
	a, b := w.keep(t, d), w.keep(t, dying(t, "one-f.catalog-changed", changed))
	other := w.keep(t, dying(t, "two-f.track-analyzed", changed))
	if out, _ := w.dlq(t, 0, "replay", "--function", "one-f", "--dry-run"); out != a+" would go to catalog-changed\n"+b+" would go to catalog-changed\n" {
		t.Errorf("%s", out)
	}
	if n := len(emutest.Received(t, w.topics, "catalog-changed")); n != 0 {
		t.Errorf("a dry run sent %d", n)
	}
	w.dlq(t, 0, "replay", a, a)
	got := emutest.Received(t, w.topics, "catalog-changed")
	if len(got) != 1 {
		t.Fatalf("%d arrived", len(got))
	}
	m := got[0].GetMessage()
	if attributes := m.GetAttributes(); !bytes.Equal(m.GetData(), d.Data) || len(attributes) != 3 || attributes["id"] != d.EventID || attributes["time"] == "" || attributes["replay_of"] != a {
		t.Errorf("arrived %v", m)
	}
	// It dies again.
	attributes := m.GetAttributes()
	attributes[dead+"Subscription"], attributes[dead+"TopicPublishTime"] = "one-f.catalog-changed", "2026-03-02T12:00:00Z"
	again := w.keep(t, event.NewDeadLetter("new", m.GetData(), attributes))
	if out, _ := w.dlq(t, 0, "show", again); again == a || !strings.Contains(out, "replay of     "+a) {
		t.Errorf("%s", out)
	}
	if _, messages := w.dlq(t, 1, "replay", a); !strings.Contains(messages, "it was replayed at") || !strings.Contains(messages, "--again") {
		t.Errorf("%s", messages)
	}
	w.dlq(t, 0, "replay", a, "--again")
	if out, _ := w.dlq(t, 0, "replay", "--all", "--json"); strings.Count(out, `"outcome"`) != 3 || !strings.Contains(out, other) {
		t.Errorf("%s", out)
	}
	if n := len(emutest.Received(t, w.topics, "catalog-changed")); n != 3 {
		t.Errorf("%d arrived, want those of again, b and the one that died again", n)
	}
	if _, messages := w.dlq(t, 0, "replay", "--all"); messages != "0 replayed, 0 failed\n" {
		t.Errorf("%s", messages)
	}
}

// What cannot be replayed is told by name and holds up nothing.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nowhere := w.keep(t, event.NewDeadLetter("m", nil, nil))
	gone := w.keep(t, dying(t, "one-f.old-topic", changed))
	good := w.keep(t, dying(t, "one-f.catalog-changed", changed))
	unknown := id.Random()
	out, messages := w.dlq(t, 1, "replay", nowhere, gone, unknown, "\xff", good)
	if out != good+" sent to catalog-changed\n" {
		t.Errorf("%s", out)
	}
	for _, say := range []string{"it does not tell from which topic it came", "there is no topic old-topic any more", "there is no dead letter " + unknown, "1 replayed, 4 failed"} {
		if !strings.Contains(messages, say) {
			t.Errorf("it does not say %q: %s", say, messages)
		}
	}
	// They wait still.
	if _, messages := w.dlq(t, 1, "replay", "--all"); !strings.Contains(messages, "0 replayed, 2 failed") {
		t.Errorf("%s", messages)
	}
	if _, messages := w.dlq(t, 1, "show", unknown); messages != "dlq: there is no dead letter "+unknown+"\n" {
		t.Errorf("%s", messages)
	}
}

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for args, say := range map[string]string{
		"lst":                       `there is no command "lst"`,
		"list x":                    "unknown command",
		"list --since soon":         `--since "soon" is neither a duration`,
		"list --since -1h":          `--since "-1h" is neither`,
		"list --limit -1":           "--limit -1",
		"list --nonsense":           "unknown flag",
		"show":                      "accepts 1 arg",
		"show a b":                  "accepts 1 arg",
		"replay":                    "what is to be replayed?",
		"replay a --all":            "either ids, or --function, or --all",
		"replay --all --function f": "either ids, or --function, or --all",
		"replay --function=":        "--function is empty",
		"replay --all --again":      "--again is for named ids",
	} {
		if _, messages := w.dlq(t, 2, strings.Fields(args)...); !strings.Contains(messages, say) {
			t.Errorf("%s: %s, want %q", args, messages, say)
		}
	}
}

// Ended between the two steps, it is published and waits: the next run publishes
// it again.
func TestDiesBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.keep(t, dying(t, "one-f.catalog-changed", changed))
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", asCommand+"=replay --all", crash.Variable+"=dlq:published",
		"SEGUE_PROJECT="+w.topics.Project(), "SEGUE_SPANNER_DATABASE="+w.spanner.DatabaseName())
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != crash.Status {
		t.Fatalf("%v: %s", err, out)
	}
	w.dlq(t, 0, "replay", a)
	if n := len(emutest.Received(t, w.topics, "catalog-changed")); n != 2 {
		t.Errorf("%d arrived, want 2", n)
	}
}
