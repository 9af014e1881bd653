// Package registry is the list of the functions that this build links. The
// Functions Framework keeps one too, but shows it to nobody; the local gateway
// and the drift tests need to see it. Functions enter through httpapi.Register
// and event.Register, not directly.
package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/cloudevents/sdk-go/v2/event"
)

// Function is one registered function: HTTP or CloudEvent, never both.
type Function struct {
	Name        string
	Routes      []Route
	Messages    []string // the protobuf messages of an event function; none for a bucket's notifications
	Environment []string
	// Ready builds the function's dependencies: its error is what a cold start
	// would fail with.
	Ready      func() error
	HTTP       http.HandlerFunc
	CloudEvent func(context.Context, event.Event) error
}

// Route is one operation of an HTTP function.
type Route struct{ Method, Path, Scope string }

var (
	mu    sync.Mutex
	known = map[string]Function{}
)

// Add puts the function on this list and on the framework's.
func Add(f Function) {
	mu.Lock()
	defer mu.Unlock()
	if _, taken := known[f.Name]; taken || (f.HTTP == nil) == (f.CloudEvent == nil) {
		// A mistake of the build, which its first start and every test shows.
		panic(fmt.Sprintf("function %q is registered twice, or as nothing", f.Name))
	}
	known[f.Name] = f
	if f.HTTP != nil {
		functions.HTTP(f.Name, f.HTTP)
	} else {
		functions.CloudEvent(f.Name, f.CloudEvent)
	}
}

// All lists the functions by name.
func All() []Function {
	mu.Lock()
	defer mu.Unlock()
	all := make([]Function, 0, len(known))
	for _, f := range known {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return all
}
