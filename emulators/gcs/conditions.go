package gcs

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// metageneration never changes: metadata updates are not emulated.
const metageneration = 1

// conditions are what a request demands of the live object. Generation 0
// stands for no object.
type conditions struct {
	Match        *int64 `json:"match,omitempty"`
	NotMatch     *int64 `json:"notMatch,omitempty"`
	MetaMatch    *int64 `json:"metaMatch,omitempty"`
	MetaNotMatch *int64 `json:"metaNotMatch,omitempty"`
}

// queryConditions reads those of the JSON API; prefix is "if" or "ifSource".
func queryConditions(query url.Values, prefix string) (conditions, error) {
	return readConditions(func(name string) (string, string) {
		name = prefix + name
		return name, query.Get(name)
	}, [4]string{"GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch"})
}

// headerConditions reads those of the XML API.
func headerConditions(h http.Header) (conditions, error) {
	return readConditions(func(name string) (string, string) {
		return name, h.Get(name)
	}, [4]string{"x-goog-if-generation-match", "x-goog-if-generation-not-match", "x-goog-if-metageneration-match", "x-goog-if-metageneration-not-match"})
}

func readConditions(get func(string) (name, value string), names [4]string) (conditions, error) {
	var c conditions
	for i, target := range []**int64{&c.Match, &c.NotMatch, &c.MetaMatch, &c.MetaNotMatch} {
		name, value := get(names[i])
		if value == "" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return conditions{}, invalidArgument(name + " is not a generation: " + value)
		}
		*target = &n
	}
	return c, nil
}

// check holds the conditions against the live object. A read whose "not" is
// what the client already has is not modified rather than failed.
func (c conditions) check(live fakestorage.ObjectAttrs, exists, read bool) error {
	var generation, meta int64
	if exists {
		generation, meta = live.Generation, metageneration
	}
	switch {
	case c.Match != nil && *c.Match != generation:
		return preconditionFailed("generation is " + strconv.FormatInt(generation, 10))
	case c.MetaMatch != nil && *c.MetaMatch != meta:
		return preconditionFailed("metageneration is " + strconv.FormatInt(meta, 10))
	case c.NotMatch != nil && *c.NotMatch == generation, c.MetaNotMatch != nil && *c.MetaNotMatch == meta:
		if read {
			return refuse(http.StatusNotModified, "NotModified", "notModified", "Not modified.", "")
		}
		return preconditionFailed("generation is " + strconv.FormatInt(generation, 10))
	}
	return nil
}
