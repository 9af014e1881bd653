package playback

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	cdnKeySize    = 16
	cdnNameLength = 63
)

// CloudCDN signs with Cloud CDN's URLPrefix form: one HMAC-SHA1 by a named key
// covers every object of the folder. The format is that of
// https://cloud.google.com/cdn/docs/using-signed-urls.
type CloudCDN struct {
	baseURL string
	keyName string
	key     []byte
}

// NewCloudCDN signs for the CDN that serves at baseURL, with a key that the CDN
// knows by that name. keys is this key, 16 bytes in base64url, as gcloud takes it,
// or the keys of all slots, as FormatCDNKeys gives them: then the name alone says
// which signs.
func NewCloudCDN(baseURL, keyName, keys string) (*CloudCDN, error) {
	base, err := normalBase(baseURL)
	if err != nil {
		return nil, err
	}
	key, err := chooseCDNKey(keyName, keys)
	if err != nil {
		return nil, err
	}
	return &CloudCDN{baseURL: base, keyName: keyName, key: key}, nil
}

// CheckCDNKey says whether Cloud CDN accepts a signing key of this name.
func CheckCDNKey(name string, key []byte) error {
	if !isName(name) || len(name) > cdnNameLength {
		return fmt.Errorf("CDN key name %q must be 1 to %d letters, digits, - or _", name, cdnNameLength)
	}
	if len(key) != cdnKeySize {
		return fmt.Errorf("CDN key %q is %d bytes long, not %d", name, len(key), cdnKeySize)
	}
	return nil
}

// Sign implements Signer; it computes and calls nothing.
func (c *CloudCDN) Sign(_ context.Context, folder string, expires time.Time) (URLs, error) {
	if err := checkFolder(folder); err != nil {
		return URLs{}, err
	}
	if err := checkExpiry(expires); err != nil {
		return URLs{}, err
	}
	prefix := c.baseURL + "/" + folder
	query := c.signPrefix(prefix, expires)
	return URLs{
		Data:   prefix + DataObject + "?" + query,
		Hashes: prefix + HashesObject + "?" + query,
		Seek:   prefix + SeekObject + "?" + query,
	}, nil
}

// signPrefix is the query string that opens every URL that starts so.
func (c *CloudCDN) signPrefix(prefix string, expires time.Time) string {
	buf := make([]byte, 0, 512)
	buf = append(buf, "URLPrefix="...)
	buf = base64.URLEncoding.AppendEncode(buf, []byte(prefix))
	buf = append(buf, "&Expires="...)
	buf = strconv.AppendInt(buf, expires.Unix(), 10)
	buf = append(buf, "&KeyName="...)
	buf = append(buf, c.keyName...)

	mac := hmac.New(sha1.New, c.key)
	mac.Write(buf)
	var sum [sha1.Size]byte
	buf = append(buf, "&Signature="...)
	buf = base64.URLEncoding.AppendEncode(buf, mac.Sum(sum[:0]))
	return string(buf)
}

// normalBase is the URL as clients will send it: they write hosts in lower case
// and leave default ports out, and a prefix is compared as text.
func normalBase(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return "", fmt.Errorf("CDN URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return "", fmt.Errorf("CDN URL %q must start with http:// or https:// and a host", baseURL)
	}
	if u.User != nil || strings.ContainsAny(baseURL, "?#") {
		return "", fmt.Errorf("CDN URL %q must have no user, query or fragment", u.Redacted())
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if path != "" {
		if err := checkFolder(path[1:] + "/"); err != nil {
			return "", fmt.Errorf("CDN URL %q: %w", baseURL, err)
		}
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme + ":" + u.Port() {
	case "http:80", "https:443", "http:", "https:":
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return u.Scheme + "://" + host + path, nil
}
