package cdn

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// signature is what a signed URL says of itself.
type signature struct {
	prefix  string // decoded URLPrefix; empty when the whole URL is signed
	expires time.Time
	keyName string
	signed  string // the part of the query that is signed
	mac     []byte
}

// The parameters, in the order in which they are signed. Without the first, the
// signature is of the whole URL.
func parameters() []string { return []string{"URLPrefix", "Expires", "KeyName", "Signature"} }

// parseSignature reads a raw query that must be a signature and nothing else.
func parseSignature(query string) (signature, error) {
	var none signature
	if query == "" {
		return none, errors.New("the request is not signed")
	}
	names := parameters()
	fields := strings.Split(query, "&")
	if !strings.HasPrefix(fields[0], names[0]+"=") {
		names = names[1:]
	}
	if len(fields) != len(names) {
		return none, fmt.Errorf("the query must be %s", strings.Join(names, ", "))
	}
	values := make(map[string]string, len(names))
	for i, field := range fields {
		value, ok := strings.CutPrefix(field, names[i]+"=")
		if !ok || value == "" {
			return none, fmt.Errorf("the query must be %s", strings.Join(names, ", "))
		}
		values[names[i]] = value
	}
	s := signature{keyName: values["KeyName"]}
	// The first one: no value before it can hold an ampersand.
	s.signed, _, _ = strings.Cut(query, "&Signature=")
	var err error
	if s.expires, err = parseExpires(values["Expires"]); err != nil {
		return none, err
	}
	if s.mac, err = decode(values["Signature"]); err != nil {
		return none, fmt.Errorf("parameter Signature %w", err)
	}
	if encoded, ok := values["URLPrefix"]; ok {
		if s.prefix, err = parsePrefix(encoded); err != nil {
			return none, err
		}
	}
	return s, nil
}

func parseExpires(s string) (time.Time, error) {
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || seconds <= 0 || strconv.FormatInt(seconds, 10) != s {
		return time.Time{}, errors.New("parameter Expires is not a time in Unix seconds")
	}
	return time.Unix(seconds, 0), nil
}

func parsePrefix(encoded string) (string, error) {
	raw, err := decode(encoded)
	if err != nil {
		return "", fmt.Errorf("parameter URLPrefix %w", err)
	}
	prefix := string(raw)
	scheme, rest, ok := strings.Cut(prefix, "://")
	// A prefix that ends within the host would also cover hosts that begin alike.
	if !ok || (scheme != "http" && scheme != "https") || strings.Index(rest, "/") < 1 || strings.ContainsAny(rest, "?#") {
		return "", errors.New("parameter URLPrefix is not a scheme, a host and a path")
	}
	return prefix, nil
}

// decode takes the one spelling of the bytes; the library's decoder lets line
// breaks and stray bits pass.
func decode(s string) ([]byte, error) {
	raw, err := base64.URLEncoding.DecodeString(s)
	if err != nil || base64.URLEncoding.EncodeToString(raw) != s {
		return nil, errors.New("is not base64url")
	}
	return raw, nil
}

// verify says why the URL that was asked for, without its query, is not covered.
func (s signature) verify(url string, keys map[string][]byte, now time.Time) error {
	key, ok := keys[s.keyName]
	if !ok {
		return errors.New("parameter KeyName is not one of the backend's keys")
	}
	mac := hmac.New(sha1.New, key)
	if s.prefix == "" {
		mac.Write([]byte(url + "?"))
	}
	mac.Write([]byte(s.signed))
	if !hmac.Equal(mac.Sum(nil), s.mac) {
		return errors.New("the signature does not match")
	}
	if !now.Before(s.expires) {
		return errors.New("the signature has expired")
	}
	if !strings.HasPrefix(url, s.prefix) {
		return errors.New("the signature is for another URLPrefix")
	}
	return nil
}
