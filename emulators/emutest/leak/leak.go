// Package leak finds secrets in what programs log: whatever looks like one, and
// the very values that a run knows to be secret. Tests pass all that is logged
// through it, and fail where it finds something.
package leak

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// kinds are what gives a secret away by its form. Names and prose about them,
// as "no Signature= in it", are none: something must follow.
var kinds = []struct {
	name string
	form *regexp.Regexp
}{
	{"JWT", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)},
	{"private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"bearer token", regexp.MustCompile(`(?i)\bbearer(?:\s|\+|%20)+[A-Za-z0-9._~+/-]{8,}=*`)},
	{"signature", regexp.MustCompile(`(?i)Signature(?:=|%3D)[A-Za-z0-9_~%+/-]{8,}=*`)},
	{"upload session", regexp.MustCompile(`(?i)upload_id(?:=|%3D)[A-Za-z0-9_~%+/-]{8,}=*`)},
}

// Secrets are values that must not be logged. Its zero value has none.
type Secrets struct {
	mu     sync.Mutex
	names  map[string]string // by value
	finder *strings.Replacer // nil: to be made
}

// shortest is what is too long to be in a log by chance.
const shortest = 8

// Add registers a text, and all forms that it may be escaped in.
func (s *Secrets) Add(name, value string) {
	value = strings.TrimSpace(value)
	s.add(name, value)
	s.add(name, url.QueryEscape(value))
	// As slog and encoding/json write it, which escape & < >.
	s.add(name, strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(value))
}

// AddKey registers bytes, in all forms that print them.
func (s *Secrets) AddKey(name string, key []byte) {
	s.add(name, base64.RawStdEncoding.EncodeToString(key))
	s.add(name, base64.RawURLEncoding.EncodeToString(key))
	s.add(name, hex.EncodeToString(key))
	s.add(name, strings.ToUpper(hex.EncodeToString(key)))
	s.add(name, strings.Trim(fmt.Sprintf("%v", key), "[]"))
}

// AddURL registers the part of a signed URL that makes it good.
func (s *Secrets) AddURL(name, signed string) {
	u, err := url.Parse(signed)
	if err != nil {
		s.Add(name, signed)
		return
	}
	for _, k := range []string{"Signature", "X-Goog-Signature", "upload_id"} {
		if v := u.Query().Get(k); v != "" {
			s.Add(name, v)
		}
	}
}

func (s *Secrets) add(name, value string) {
	if len(value) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]string{}
	}
	if _, known := s.names[value]; !known {
		s.names[value], s.finder = name, nil
	}
}

// redact replaces every secret in a line by what it is.
func (s *Secrets) redact(line string) string {
	for _, k := range kinds {
		line = k.form.ReplaceAllLiteralString(line, mark(k.name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finder == nil {
		var pairs []string
		for value, name := range s.names {
			pairs = append(pairs, value, mark(name))
		}
		s.finder = strings.NewReplacer(pairs...)
	}
	return s.finder.Replace(line)
}

func mark(name string) string { return "[" + name + "]" }

// longest line that is looked at as one.
const longest = 4 << 20

// Scan reads a log to its end and returns what leaks in it as an error, which
// names the lines, their secrets redacted.
func (s *Secrets) Scan(log io.Reader) error {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, longest)
	var found []error
	for n := 1; lines.Scan(); n++ {
		if err := s.Check(lines.Text()); err != nil && len(found) < enough {
			found = append(found, fmt.Errorf("line %d: %w", n, err))
		}
	}
	return errors.Join(append(found, lines.Err())...)
}

// enough findings show what is wrong.
const enough = 20

// Check returns what leaks in a line as an error, with the secrets redacted.
func (s *Secrets) Check(line string) error {
	if clean := s.redact(line); clean != line {
		return fmt.Errorf("a secret is logged: %s", strings.TrimSpace(clean))
	}
	return nil
}
