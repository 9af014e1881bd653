// Package functions holds the manifest, the one list of Segue's functions, and
// its loader. The functions themselves are in the folders below; what runs
// them all in one process imports functions/all.
package functions

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed manifest.yaml
var manifestYAML []byte

// Kind is how a function is reached.
type Kind string

// The kinds of functions.
const (
	HTTP      Kind = "http"
	Event     Kind = "event"
	Scheduled Kind = "scheduled"
)

// Manifest is functions/manifest.yaml.
type Manifest struct {
	// Environment is what every function reads, besides what it lists itself.
	Environment []string   `yaml:"environment"`
	Topics      []Topic    `yaml:"topics"`
	Functions   []Function `yaml:"functions"`
}

// Topic is one Pub/Sub topic: a message of ours, a bucket's notifications, or
// what no delivery of the others got done.
type Topic struct {
	Name        string `yaml:"name"`
	Message     string `yaml:"message"`
	Bucket      string `yaml:"bucket"`
	DeadLetters bool   `yaml:"dead_letters"`
}

// Function is one deployable function.
type Function struct {
	Name         string        `yaml:"name"`
	Kind         Kind          `yaml:"kind"`
	Routes       []Route       `yaml:"routes"`
	Topics       []string      `yaml:"topics"`
	Schedule     string        `yaml:"schedule"` // cron, UTC
	Environment  []string      `yaml:"environment"`
	Secrets      []string      `yaml:"secrets"`
	Memory       string        `yaml:"memory"`
	CPU          int           `yaml:"cpu"`
	Concurrency  int           `yaml:"concurrency"`
	Timeout      time.Duration `yaml:"timeout"`
	MinInstances int           `yaml:"min_instances"`
	MaxInstances int           `yaml:"max_instances"`
	BaseImage    string        `yaml:"base_image"`
	Roles        []string      `yaml:"roles"`
}

// Route is one operation of an HTTP function. An empty scope asks for a valid
// token and nothing more.
type Route struct {
	Method string `yaml:"method"`
	Path   string `yaml:"path"`
	Scope  string `yaml:"scope"`
}

// Folder is where the function's package lies, below functions/.
func (f Function) Folder() string { return strings.Replace(f.Name, "-", "/", 1) }

// Subscription is the name of an event function's subscription to a topic.
func (f Function) Subscription(topic string) string { return f.Name + "." + topic }

// Load reads the manifest that this build carries.
func Load() (*Manifest, error) { return Parse(manifestYAML) }

// Parse reads and checks a manifest.
func Parse(b []byte) (*Manifest, error) {
	var m Manifest
	if err := yaml.UnmarshalWithOptions(b, &m, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return &m, nil
}

// Function finds a function by name.
func (m *Manifest) Function(name string) (Function, bool) {
	for _, f := range m.Functions {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
