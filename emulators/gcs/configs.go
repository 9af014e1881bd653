package gcs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// topicPattern is the full resource name that Cloud Storage takes.
var topicPattern = regexp.MustCompile(`^//pubsub\.googleapis\.com/(projects/[^/]+/topics/[^/]+)$`)

// config is one bucket's wish to tell a topic of its objects.
type config struct {
	Kind       string            `json:"kind"`
	ID         string            `json:"id"`
	Topic      string            `json:"topic"`
	EventTypes []string          `json:"event_types,omitempty"`
	Prefix     string            `json:"object_name_prefix,omitempty"`
	Payload    string            `json:"payload_format"`
	Custom     map[string]string `json:"custom_attributes,omitempty"`
}

func (c config) wants(event, object string) bool {
	return strings.HasPrefix(object, c.Prefix) && (len(c.EventTypes) == 0 || slices.Contains(c.EventTypes, event))
}

func (c config) check() error {
	if !topicPattern.MatchString(c.Topic) {
		return invalidArgument("topic is not //pubsub.googleapis.com/projects/P/topics/T: " + c.Topic)
	}
	if c.Payload != "JSON_API_V1" && c.Payload != "NONE" {
		return invalidArgument("payload_format must be JSON_API_V1 or NONE, not " + c.Payload)
	}
	for _, t := range c.EventTypes {
		if !slices.Contains([]string{eventFinalize, eventDelete, "OBJECT_METADATA_UPDATE", "OBJECT_ARCHIVE"}, t) {
			return invalidArgument("unknown event type: " + t)
		}
	}
	return nil
}

// configs keeps every bucket's configs in one file, so that they outlive the
// process as the buckets do.
type configs struct {
	path string
	mu   sync.Mutex
	all  map[string][]config
}

func openConfigs(path string) (*configs, error) {
	c := &configs{path: path, all: map[string][]config{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &c.all)
	}
	if err != nil {
		return nil, fmt.Errorf("notification configs %s: %w", path, err)
	}
	return c, nil
}

func (c *configs) list(bucket string) []config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all[bucket])
}

// change replaces a bucket's configs, on disk first.
func (c *configs) change(bucket string, edit func([]config) []config) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string][]config{}
	for b, list := range c.all {
		next[b] = list
	}
	if next[bucket] = edit(slices.Clone(c.all[bucket])); len(next[bucket]) == 0 {
		delete(next, bucket)
	}
	data, err := json.Marshal(next)
	if err == nil {
		err = os.WriteFile(c.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(c.path+".new", c.path)
	}
	if err != nil {
		return fmt.Errorf("notification configs: %w", err)
	}
	c.all = next
	return nil
}

func (c *configs) removeBucket(bucket string) error {
	return c.change(bucket, func([]config) []config { return nil })
}

// serveConfigs serves /storage/v1/b/BUCKET/notificationConfigs[/ID].
func (e *Emulator) serveConfigs(w http.ResponseWriter, r *http.Request, bucket string, id []string) error {
	if len(id) == 1 {
		return e.serveConfig(w, r, bucket, id[0])
	}
	switch r.Method {
	case http.MethodGet:
		return writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#notifications", "items": e.configs.list(bucket)})
	case http.MethodPost:
		return e.addConfig(w, r, bucket)
	}
	return methodNotAllowed(r.Method)
}

func (e *Emulator) addConfig(w http.ResponseWriter, r *http.Request, bucket string) error {
	if e.options.Publish == nil {
		return invalidArgument("this Cloud Storage has no Pub/Sub to notify")
	}
	var c config
	if err := readDocument(r.Body, &c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	c.Kind = "storage#notification"
	err := e.configs.change(bucket, func(list []config) []config {
		last := 0
		for _, other := range list {
			if n, err := strconv.Atoi(other.ID); err == nil {
				last = max(last, n)
			}
		}
		c.ID = strconv.Itoa(last + 1)
		return append(list, c)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c)
}

func (e *Emulator) serveConfig(w http.ResponseWriter, r *http.Request, bucket, id string) error {
	list := e.configs.list(bucket)
	i := slices.IndexFunc(list, func(c config) bool { return c.ID == id })
	if i < 0 {
		return refuse(http.StatusNotFound, "NotificationNotFound", "notFound", "No such notification config.", bucket+"/"+id)
	}
	switch r.Method {
	case http.MethodGet:
		return writeJSON(w, http.StatusOK, list[i])
	case http.MethodDelete:
		err := e.configs.change(bucket, func(list []config) []config {
			return slices.DeleteFunc(list, func(c config) bool { return c.ID == id })
		})
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	return methodNotAllowed(r.Method)
}
