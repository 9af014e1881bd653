package gcs

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm     = "GOOG4-RSA-SHA256"
	compactTime   = "20060102T150405Z"
	maxLife       = 7 * 24 * time.Hour
	maxSkew       = 15 * time.Minute
	payloadHeader = "X-Goog-Content-Sha256"
	unsigned      = "UNSIGNED-PAYLOAD"
)

// signature is what the query of a V4 signed URL claims.
type signature struct {
	account string
	scope   string // date/location/storage/goog4_request
	stamp   string // X-Goog-Date as it was signed
	from    time.Time
	until   time.Time
	headers []string // names, lower case, sorted, with host
	value   []byte
	query   url.Values // everything but X-Goog-Signature
}

// isSigned tells whether a query means to be authenticated by itself. The
// names count in any case, so that none slips through as an ordinary one.
func isSigned(query url.Values) bool {
	for name := range query {
		if strings.HasPrefix(strings.ToLower(name), "x-goog-") {
			return true
		}
	}
	return false
}

// parseSignature reads the query of a signed URL. It accepts no parameter
// twice: two readers of one URL must not see different requests.
func parseSignature(rawQuery string) (signature, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return signature{}, invalidArgument("malformed query: " + err.Error())
	}
	for name, values := range query {
		if len(values) != 1 {
			return signature{}, invalidArgument("query parameter " + name + " is given more than once")
		}
	}
	for _, name := range []string{"X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders", "X-Goog-Signature"} {
		if query.Get(name) == "" {
			return signature{}, invalidArgument("query parameter " + name + " is missing")
		}
	}
	if got := query.Get("X-Goog-Algorithm"); got != algorithm {
		return signature{}, invalidArgument("X-Goog-Algorithm " + got + " is not " + algorithm)
	}
	s := signature{stamp: query.Get("X-Goog-Date"), headers: strings.Split(query.Get("X-Goog-SignedHeaders"), ";")}
	if err := s.parseTimes(query.Get("X-Goog-Expires")); err != nil {
		return signature{}, err
	}
	if err := s.parseCredential(query.Get("X-Goog-Credential")); err != nil {
		return signature{}, err
	}
	if err := checkHeaderNames(s.headers); err != nil {
		return signature{}, err
	}
	if s.value, err = hex.DecodeString(query.Get("X-Goog-Signature")); err != nil {
		return signature{}, invalidArgument("X-Goog-Signature is not hexadecimal")
	}
	query.Del("X-Goog-Signature")
	s.query = query
	return s, nil
}

func (s *signature) parseTimes(expires string) error {
	from, err := time.Parse(compactTime, s.stamp)
	if err != nil {
		return invalidArgument("X-Goog-Date is not of the form YYYYMMDD'T'HHMMSS'Z'")
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	if err != nil || seconds == 0 || time.Duration(seconds)*time.Second > maxLife {
		return invalidArgument("X-Goog-Expires must be between 1 and 604800 seconds")
	}
	s.from, s.until = from, from.Add(time.Duration(seconds)*time.Second)
	return nil
}

// parseCredential takes account/date/location/storage/goog4_request apart.
func (s *signature) parseCredential(credential string) error {
	account, scope, _ := strings.Cut(credential, "/")
	fields := strings.Split(scope, "/")
	if account == "" || len(fields) != 4 || fields[1] == "" || fields[2] != "storage" || fields[3] != "goog4_request" {
		return invalidArgument("X-Goog-Credential is not account/date/location/storage/goog4_request")
	}
	if fields[0] != s.stamp[:len("20060102")] {
		return invalidArgument("the day in X-Goog-Credential is not that of X-Goog-Date")
	}
	s.account, s.scope = account, scope
	return nil
}

func checkHeaderNames(names []string) error {
	if !slices.Contains(names, "host") {
		return invalidArgument("X-Goog-SignedHeaders does not name host")
	}
	for i, name := range names {
		if name == "" || name != strings.ToLower(name) || i > 0 && names[i-1] >= name {
			return invalidArgument("X-Goog-SignedHeaders is not sorted, unique and in lower case")
		}
	}
	return nil
}

// verify tells whether r was signed by one of the accounts, as it arrived, and
// may be used now.
func verify(r *http.Request, signers map[string]*rsa.PublicKey, now time.Time) error {
	s, err := parseSignature(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if r.Header.Get("Authorization") != "" {
		return invalidArgument("only one way to authenticate may be used in a request")
	}
	if now.Add(maxSkew).Before(s.from) {
		return refuse(http.StatusForbidden, "RequestTimeTooSkewed", "forbidden",
			"The difference between the request time and the server's time is too large.", "signed for "+s.stamp)
	}
	if !now.Before(s.until) {
		return refuse(http.StatusBadRequest, "ExpiredToken", "invalid",
			"The provided token has expired.", "Request signature expired at: "+s.until.Format(time.RFC3339))
	}
	key, ok := signers[s.account]
	if !ok {
		return accessDenied("no key of service account " + s.account + " is known")
	}
	headers, err := s.canonicalHeaders(r)
	if err != nil {
		return err
	}
	// As in production, a URL signed for GET also answers HEAD.
	if s.signedBy(key, r.Method, r, headers) || r.Method == http.MethodHead && s.signedBy(key, http.MethodGet, r, headers) {
		return nil
	}
	return refuse(http.StatusForbidden, "SignatureDoesNotMatch", "forbidden",
		"Access denied.", "The request signature we calculated does not match the signature you provided. Check your Google secret key and signing method.")
}

func (s *signature) signedBy(key *rsa.PublicKey, method string, r *http.Request, headers string) bool {
	sum := sha256.Sum256([]byte(s.stringToSign(method, r, headers)))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s.value) == nil
}

func (s *signature) stringToSign(method string, r *http.Request, headers string) string {
	payload := unsigned
	if slices.Contains(s.headers, strings.ToLower(payloadHeader)) {
		payload = r.Header.Get(payloadHeader)
	}
	canonical := strings.Join([]string{
		method,
		r.URL.EscapedPath(),
		strings.ReplaceAll(s.query.Encode(), "+", "%20"),
		headers,
		strings.Join(s.headers, ";"),
		payload,
	}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	return strings.Join([]string{algorithm, s.stamp, s.scope, hex.EncodeToString(digest[:])}, "\n")
}

// canonicalHeaders is one line for each signed header. Every x-goog-* header
// must be signed, or whoever holds the URL could change what it does.
func (s *signature) canonicalHeaders(r *http.Request) (string, error) {
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-goog-") && !slices.Contains(s.headers, lower) {
			return "", malformedHeader(lower, "Header was included in the request, but not in signedheaders.")
		}
	}
	var b strings.Builder
	for _, name := range s.headers {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{hostname(r.Host)}
		}
		if len(values) == 0 {
			return "", malformedHeader(name, "Header was included in signedheaders, but not in the request.")
		}
		b.WriteString(name + ":")
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.Fields(v), " "))
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// hostname drops the port: Cloud Storage has none, and signers leave it out.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
