package registry

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
)

func TestAddAndAll(t *testing.T) {
	t.Parallel()
	h := func(http.ResponseWriter, *http.Request) {}
	e := func(context.Context, event.Event) error { return nil }
	Add(Function{Name: "test-b", HTTP: h, Routes: []Route{{"GET", "/v1/b", "streaming"}}})
	Add(Function{Name: "test-a", CloudEvent: e, Messages: []string{"A"}})
	all := All()
	if len(all) != 2 || all[0].Name != "test-a" || len(all[0].Messages) != 1 || all[1].Name != "test-b" || all[1].Routes[0].Path != "/v1/b" {
		t.Errorf("functions = %+v", all)
	}
	for name, f := range map[string]Function{
		"a taken name":    {Name: "test-a", HTTP: h},
		"nothing to run":  {Name: "test-c"},
		"both to be run":  {Name: "test-d", HTTP: h, CloudEvent: e},
		"taken and alike": {Name: "test-b", HTTP: h},
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, `"`+f.Name+`"`) {
					t.Errorf("%s: panic = %q", name, p)
				}
			}()
			Add(f)
		}()
	}
	if got := len(All()); got != 2 {
		t.Errorf("%d functions after the refused ones", got)
	}
}
