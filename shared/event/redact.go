package event

import (
	"regexp"
	"strings"
)

// maxError is what is kept of an error's text, in bytes.
const maxError = 4 << 10

// secrets are what the errors of clients may quote: signed URLs, tokens, keys.
var secrets = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), "[private key]"},
	// A signature is in the query; so is the id of an upload session.
	{regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'/@]*@`), "${1}[credentials]@"},
	{regexp.MustCompile(`(https?://[^\s"'?]*)\?[^\s"']*`), "${1}?[query]"},
	{regexp.MustCompile(`(?i)\b((?:x-goog-)?(?:signature|credential)|urlprefix|upload_id|access_token|refresh_token|id_token|client_secret|password|secret|api_?key)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+`), "${1}${2}[secret]"},
	{regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/=-]+`), "Bearer [token]"},
	{regexp.MustCompile(`(?i)\b(authorization["']?\s*[=:]\s*["']?basic)\s+[A-Za-z0-9+/=_-]+`), "${1} [token]"},
	{regexp.MustCompile(`\bya29\.[A-Za-z0-9._-]+`), "[token]"}, // Google's access tokens
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), "[token]"},
}

// Redact is an error's text as it may be kept: without what gives access to
// anything, and not endless.
func Redact(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + " …"
	}
	return text
}
