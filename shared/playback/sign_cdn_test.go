package playback

import (
	"strings"
	"testing"
	"time"
)

const googleKey = "nZtRohdNF9m3cKM24IcK4w=="

// The vectors are those of Google's own signing samples.
func TestCloudCDNMatchesGooglesVectors(t *testing.T) {
	t.Parallel()
	for prefix, v := range map[string]struct {
		expires int64
		query   string
	}{
		"https://media.example.com/segments/": {
			1558131350,
			"URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=&Expires=1558131350&KeyName=my-key&Signature=HWE5tBTZgnYVoZzVLG7BtRnOsgk=",
		},
		"https://www.google.com/": {
			1549751401,
			"URLPrefix=aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8=&Expires=1549751401&KeyName=my-key&Signature=o0zZ77jb7BgtGRPQEaXmX3cCLh8=",
		},
	} {
		c, err := NewCloudCDN("https://media.example.com", "my-key", googleKey)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.signPrefix(prefix, time.Unix(v.expires, 0)); got != v.query {
			t.Errorf("%s:\n got %s\nwant %s", prefix, got, v.query)
		}
	}
}

func TestCloudCDNSignsAFolder(t *testing.T) {
	t.Parallel()
	const query = "?URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=&Expires=1558131350&KeyName=my-key&Signature=HWE5tBTZgnYVoZzVLG7BtRnOsgk="
	want := URLs{
		Data:   "https://media.example.com/segments/data" + query,
		Hashes: "https://media.example.com/segments/hashes" + query,
		Seek:   "https://media.example.com/segments/seek" + query,
	}
	for _, base := range []string{
		"https://media.example.com", "https://media.example.com/", "https://MEDIA.example.com:443",
	} {
		for _, key := range []string{googleKey, strings.TrimRight(googleKey, "="), googleKey + "\n"} {
			c, err := NewCloudCDN(base, "my-key", key)
			if err != nil {
				t.Fatal(err)
			}
			var s Signer = c
			got, err := s.Sign(t.Context(), "segments/", time.Unix(1558131350, 999))
			if err != nil || got != want {
				t.Errorf("%s: %+v (%v), want %+v", base, got, err, want)
			}
		}
	}
}

func TestCloudCDNRefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, keyName, key string }{
		"no URL":           {"", "my-key", googleKey},
		"no scheme":        {"cdn.example.com", "my-key", googleKey},
		"another scheme":   {"ftp://cdn.example.com", "my-key", googleKey},
		"no host":          {"https:///audio", "my-key", googleKey},
		"only a port":      {"https://:443", "my-key", googleKey},
		"a query":          {"https://cdn.example.com?a=b", "my-key", googleKey},
		"an empty query":   {"https://cdn.example.com?", "my-key", googleKey},
		"a fragment":       {"https://cdn.example.com/#", "my-key", googleKey},
		"a user":           {"https://u:p@cdn.example.com", "my-key", googleKey},
		"a climbing path":  {"https://cdn.example.com/a/../b", "my-key", googleKey},
		"no key name":      {"https://cdn.example.com", "", googleKey},
		"a key name's dot": {"https://cdn.example.com", "my.key", googleKey},
		"a key name's &":   {"https://cdn.example.com", "my&key", googleKey},
		"a long key name":  {"https://cdn.example.com", strings.Repeat("k", 64), googleKey},
		"no key":           {"https://cdn.example.com", "my-key", ""},
		"a short key":      {"https://cdn.example.com", "my-key", "nZtRohdNF9m3cKM24IcK"},
		"a long key":       {"https://cdn.example.com", "my-key", "nZtRohdNF9m3cKM24IcK4w4w"},
		"plain base64":     {"https://cdn.example.com", "my-key", "nZtRohdNF9m3cKM24IcK+w=="},
	} {
		if _, err := NewCloudCDN(c.base, c.keyName, c.key); err == nil {
			t.Errorf("%s is accepted", name)
		} else if c.key != "" && strings.Contains(err.Error(), c.key) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	if _, err := NewCloudCDN("https://cdn.example.com/v1", strings.Repeat("k", 63), googleKey); err != nil {
		t.Errorf("the longest name: %v", err)
	}
}

// badFolders are those a signature must never be made for.
func badFolders() []string {
	return []string{
		"", "/", "audio", "audio/abc", "/audio/abc/", "audio//abc/", "audio/abc//", "audio/../", "audio/./",
		"audio/a%2e/", "audio/a b/", "audio/a?b/", "audio/a#b/", `audio/a\b/`, "audio/ä/",
	}
}

func TestCloudCDNRefusesFolders(t *testing.T) {
	t.Parallel()
	c, err := NewCloudCDN("https://cdn.example.com", "my-key", googleKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range badFolders() {
		if got, err := c.Sign(t.Context(), folder, time.Unix(1558131350, 0)); err == nil || got != (URLs{}) {
			t.Errorf("%q is signed: %+v", folder, got)
		}
	}
	if _, err := c.Sign(t.Context(), "audio/abc/", time.Time{}); err == nil {
		t.Error("signed without an expiry")
	}
}

func BenchmarkCloudCDNSign(b *testing.B) {
	c, err := NewCloudCDN("https://cdn.example.com", "my-key", googleKey)
	if err != nil {
		b.Fatal(err)
	}
	expires := time.Unix(1558131350, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sign(b.Context(), "audio/Zk3PpN0sVw1rX9tq4uYbAg/", expires); err != nil {
			b.Fatal(err)
		}
	}
}
