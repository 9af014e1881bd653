package playback

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// StreamTTL is how long a URL and its key are good. A signing key that no longer
// signs has to stay good for as long.
const StreamTTL = 10 * time.Minute

// FormatCDNKeys is one text for the signing keys of all slots: name:base64url,
// with commas between. It is a secret.
func FormatCDNKeys(keys map[string][]byte) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, name+":"+base64.URLEncoding.EncodeToString(keys[name]))
	}
	return strings.Join(all, ",")
}

// ParseCDNKey reads one key in base64url, with or without padding.
func ParseCDNKey(name, text string) ([]byte, error) {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
	if err != nil {
		return nil, fmt.Errorf("CDN key %q is not base64url: %w", name, err)
	}
	return key, CheckCDNKey(name, key)
}

// chooseCDNKey finds the named key; none of the others may be broken either, as
// it is the one to switch to.
func chooseCDNKey(name, keys string) ([]byte, error) {
	if !strings.Contains(keys, ":") {
		return ParseCDNKey(name, keys)
	}
	all := map[string][]byte{}
	for entry := range strings.SplitSeq(strings.TrimSpace(keys), ",") {
		n, text, _ := strings.Cut(strings.TrimSpace(entry), ":")
		key, err := ParseCDNKey(n, text)
		if err != nil {
			return nil, err
		}
		if all[n] != nil {
			return nil, fmt.Errorf("CDN key %q is given twice", n)
		}
		all[n] = key
	}
	if all[name] == nil {
		return nil, fmt.Errorf("CDN key %q is not among those given: %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return all[name], nil
}
