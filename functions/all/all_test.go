package all

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// summary is what the manifest and the code must say alike of a function.
type summary struct {
	Routes      []registry.Route
	Messages    []string
	Environment []string
}

func TestManifestAndRegistryAgree(t *testing.T) {
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, topic := range m.Topics {
		messages[topic.Name] = topic.Message
	}
	manifest, code := map[string]summary{}, map[string]summary{}
	for _, f := range m.Functions {
		s := summary{Environment: slices.Sorted(slices.Values(f.Environment))}
		for _, topic := range f.Topics {
			if m := messages[topic]; m != "" {
				s.Messages = append(s.Messages, m)
			}
		}
		for _, r := range f.Routes {
			s.Routes = append(s.Routes, registry.Route(r))
		}
		manifest[f.Name] = s
		isHTTP := f.Kind != functions.Event
		for _, r := range registry.All() {
			if r.Name == f.Name && isHTTP != (r.HTTP != nil) {
				t.Errorf("%s is of kind %s, but the code registers the other", f.Name, f.Kind)
			}
		}
	}
	for _, f := range registry.All() {
		code[f.Name] = summary{Routes: f.Routes, Messages: f.Messages, Environment: f.Environment}
	}
	if d := cmp.Diff(manifest, code); d != "" {
		t.Errorf("the manifest (-) and the code (+) differ:\n%s", d)
	}
}

func TestManifestListsWhatAllFunctionsRead(t *testing.T) {
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(m.Environment)), config.Names[telemetry.Config]()); d != "" {
		t.Errorf("the manifest (-) and the code (+) differ:\n%s", d)
	}
}

func TestEachFunctionHasItsFolder(t *testing.T) {
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, f := range m.Functions {
		listed[f.Folder()] = true
	}
	found, err := filepath.Glob("../*/*/function.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		rel, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if !listed[filepath.ToSlash(rel)] {
			t.Errorf("functions/%s is not in the manifest", rel)
		}
		delete(listed, filepath.ToSlash(rel))
	}
	for folder := range listed {
		t.Errorf("the manifest's functions/%s does not exist", folder)
	}
}

// A message's topic follows from its name: the manifest must spell it so, and
// declare each message that exists.
func TestTopicsAndMessagesAgree(t *testing.T) {
	m, err := functions.Load()
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, topic := range m.Topics {
		if topic.Message == "" {
			continue
		}
		declared[topic.Message] = true
		if want := event.TopicOf(topic.Message); topic.Name != want {
			t.Errorf("topic %s carries %s, so its name is %s", topic.Name, topic.Message, want)
		}
	}
	all := eventpb.File_event_proto.Messages()
	for i := range all.Len() {
		if name := string(all.Get(i).Name()); !declared[name] {
			t.Errorf("message %s has no topic in the manifest", name)
		}
	}
}
