package cdn

import (
	"errors"
	"net/url"
	"strings"
)

// objectName is the object that a raw request path names. Whatever a proxy or an
// origin could read as another path is refused, since the signature was checked
// against the path as it was written.
func objectName(rawPath string) (string, error) {
	bad := errors.New("the path is ambiguous")
	name, ok := strings.CutPrefix(rawPath, "/")
	if !ok {
		return "", bad
	}
	lower := strings.ToLower(name)
	for _, hidden := range []string{"%2e", "%2f", "%5c", "%25", "%00", `\`, "#"} {
		if strings.Contains(lower, hidden) {
			return "", bad
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if segment == "." || segment == ".." || (segment == "" && name != "") {
			return "", bad
		}
	}
	name, err := url.PathUnescape(name)
	if err != nil || strings.ContainsFunc(name, isControl) {
		return "", bad
	}
	return name, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
