package gcs

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// bucketPattern is Cloud Storage's rule, which also makes every name a plain
// folder.
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// checkObject refuses what Cloud Storage refuses, and what would leave the
// bucket's folder or name the same file twice.
func checkObject(name string) error {
	if name == "" || len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r\n") {
		return invalidArgument("an object's name is 1 to 1024 bytes of UTF-8 without line breaks")
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > 240 {
			return invalidArgument("the local Cloud Storage cannot hold a name with an empty, dot or very long segment: " + name)
		}
	}
	return nil
}

// segments splits an escaped path at its slashes and unescapes each piece, so
// that an escaped slash stays part of a name.
func segments(escaped string) ([]string, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/"), "/")
	for i, p := range parts {
		name, err := url.PathUnescape(p)
		if err != nil {
			return nil, invalidArgument("malformed path: " + err.Error())
		}
		parts[i] = name
	}
	return parts, nil
}

// xmlPath splits /bucket/object.
func xmlPath(escaped string) (bucket, object string, err error) {
	b, o, _ := strings.Cut(strings.TrimPrefix(escaped, "/"), "/")
	if bucket, err = url.PathUnescape(b); err == nil {
		object, err = url.PathUnescape(o)
	}
	if err != nil {
		return "", "", invalidArgument("malformed path: " + err.Error())
	}
	return bucket, object, nil
}
