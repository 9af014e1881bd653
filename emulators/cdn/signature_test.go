package cdn

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sign is a signature made by hand, for what the signer refuses to sign.
func sign(key []byte, text string) string {
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(text))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}

func prefixQuery(key []byte, keyName, prefix string, expires time.Time) string {
	text := fmt.Sprintf("URLPrefix=%s&Expires=%d&KeyName=%s",
		base64.URLEncoding.EncodeToString([]byte(prefix)), expires.Unix(), keyName)
	return text + "&Signature=" + sign(key, text)
}

func wholeURL(key []byte, keyName, url string, expires time.Time) string {
	text := fmt.Sprintf("%s?Expires=%d&KeyName=%s", url, expires.Unix(), keyName)
	return text + "&Signature=" + sign(key, text)
}

func TestSignedFolderCoversItsObjects(t *testing.T) {
	t.Parallel()
	b := start(t)
	urls := b.sign(t, folder)
	for url, want := range map[string]string{
		urls.Data: b.origin.objects[folder+"data"], urls.Hashes: "hashes of it", urls.Seek: "seek points",
	} {
		if got := get(t, url); got.status != http.StatusOK || got.body != want {
			t.Errorf("%s: %d, %d bytes", url, got.status, len(got.body))
		}
	}
}

func TestBothKeySlotsAreAccepted(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, key := range keys() {
		urls, err := b.signer(t, b.URL(), name, key).Sign(t.Context(), folder, b.clock.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, urls.Seek); got.status != http.StatusOK {
			t.Errorf("key %s: %d %s", name, got.status, got.body)
		}
		if got := get(t, wholeURL(key, name, b.URL()+"/"+folder+"seek", b.clock.Now().Add(time.Minute))); got.status != http.StatusOK {
			t.Errorf("key %s, whole URL: %d %s", name, got.status, got.body)
		}
	}
}

// The whole-URL vector is that of Google's own signing samples.
func TestWholeURLMatchesGooglesVector(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) {
		key, err := base64.URLEncoding.DecodeString("nZtRohdNF9m3cKM24IcK4w==")
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = map[string][]byte{"my-key": key}
		o.Now = func() time.Time { return time.Unix(1558131349, 0) }
	})
	b.origin.objects["index.html"] = "hello"
	const signed = "/index.html?Expires=1558131350&KeyName=my-key&Signature=fm6JZSmKNsB5sys8VGr-JE4LiiE="
	if got := get(t, b.URL()+signed, "Host", "35.186.234.33"); got.body != "hello" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := get(t, b.URL()+signed); got.status != http.StatusForbidden {
		t.Errorf("for another host: %d", got.status)
	}
}

func TestExpiryIsTheFirstSecondThatIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	urls := b.sign(t, folder)
	b.clock.advance(10*time.Minute - time.Nanosecond)
	if got := get(t, urls.Seek); got.status != http.StatusOK {
		t.Errorf("in the last instant: %d %s", got.status, got.body)
	}
	b.clock.advance(time.Nanosecond)
	if got := get(t, urls.Seek); got.status != http.StatusForbidden || !strings.Contains(got.body, "expired") {
		t.Errorf("at expiry, though cached: %d %s", got.status, got.body)
	}
}

func TestNotAByteWithoutAValidSignature(t *testing.T) {
	t.Parallel()
	b := start(t)
	key, soon := keys()["new"], b.clock.Now().Add(time.Minute)
	base := b.URL() + "/"
	data := base + folder + "data"
	query := prefixQuery(key, "new", base+folder, soon)
	parts := strings.Split(query, "&")
	whole := wholeURL(key, "new", data, soon)
	_, wholeQuery, _ := strings.Cut(whole, "?")
	join := func(p ...string) string { return data + "?" + strings.Join(p, "&") }

	if got := get(t, data+"?"+query); got.status != http.StatusOK {
		t.Fatalf("the good request: %d %s", got.status, got.body)
	}
	if got := get(t, whole); got.status != http.StatusOK {
		t.Fatalf("the good whole URL: %d %s", got.status, got.body)
	}
	asked := b.origin.count()
	for name, url := range map[string]string{
		"no signature":                  data,
		"an empty query":                data + "?",
		"another query":                 data + "?alt=media",
		"a changed path":                base + "audio/other/data?" + query,
		"a whole URL's changed path":    base + folder + "hashes?" + wholeQuery,
		"a sibling with the same start": base + strings.TrimSuffix(folder, "/") + "2/data?" + query,
		"the folder above":              base + "audio/data?" + query,
		"expired":                       data + "?" + prefixQuery(key, "new", base+folder, b.clock.Now()),
		"a later expiry":                strings.Replace(data+"?"+query, "Expires=1", "Expires=2", 1),
		"another folder's signature":    data + "?" + prefixQuery(key, "new", base+"audio/other/", soon),
		"another folder's prefix": join("URLPrefix="+base64.URLEncoding.EncodeToString([]byte(base+"audio/other/")),
			parts[1], parts[2], parts[3]),
		"another key":                  data + "?" + prefixQuery([]byte("0000000000000000"), "new", base+folder, soon),
		"the other key's name":         data + "?" + prefixQuery(key, "old", base+folder, soon),
		"an unknown key name":          data + "?" + prefixQuery(key, "third", base+folder, soon),
		"another host's prefix":        data + "?" + prefixQuery(key, "new", "http://cdn.example.com/"+folder, soon),
		"another scheme's prefix":      data + "?" + prefixQuery(key, "new", strings.Replace(base, "http", "https", 1)+folder, soon),
		"a prefix of no host":          data + "?" + prefixQuery(key, "new", "http://", soon),
		"a prefix within the host":     data + "?" + prefixQuery(key, "new", "http://127.0", soon),
		"a prefix of no scheme":        data + "?" + prefixQuery(key, "new", "127.0.0.1/", soon),
		"an empty prefix":              data + "?" + prefixQuery(key, "new", "", soon),
		"a doubled URLPrefix":          join(parts[0], parts[0], parts[1], parts[2], parts[3]),
		"a doubled Expires":            join(parts[0], parts[1], parts[1], parts[2], parts[3]),
		"a doubled KeyName":            join(parts[0], parts[1], parts[2], parts[2], parts[3]),
		"a doubled Signature":          join(parts[0], parts[1], parts[2], parts[3], parts[3]),
		"two signatures":               data + "?" + query + "&" + query,
		"a prefix and a whole URL":     data + "?" + query + "&" + wholeQuery,
		"no URLPrefix":                 join(parts[1], parts[2], parts[3]),
		"no Expires":                   join(parts[0], parts[2], parts[3]),
		"no KeyName":                   join(parts[0], parts[1], parts[3]),
		"no Signature":                 join(parts[0], parts[1], parts[2]),
		"an empty Signature":           join(parts[0], parts[1], parts[2], "Signature="),
		"an extra parameter":           join(parts[0], parts[1], parts[2], parts[3], "a=b"),
		"an extra parameter before":    join("a=b", parts[0], parts[1], parts[2], parts[3]),
		"an empty parameter":           join(parts[0], parts[1], parts[2], parts[3], ""),
		"another order":                join(parts[1], parts[0], parts[2], parts[3]),
		"the signature first":          join(parts[3], parts[0], parts[1], parts[2]),
		"lower-case names":             data + "?" + strings.ToLower(query),
		"a percent-encoded name":       data + "?" + strings.Replace(query, "KeyName", "Key%4eame", 1),
		"a cut signature":              strings.TrimSuffix(data+"?"+query, "="),
		"a short signature":            join(parts[0], parts[1], parts[2], "Signature=AAAA"),
		"a signature's stray bits":     data + "?" + strayBits(query),
		"a signed Expires that is not": data + "?" + signedExpires(key, base+folder, "soon"),
		"an Expires with a sign":       data + "?" + signedExpires(key, base+folder, fmt.Sprintf("+%d", soon.Unix())),
		"an Expires beyond numbers":    data + "?" + signedExpires(key, base+folder, "99999999999999999999"),
	} {
		got := get(t, url)
		if got.status != http.StatusForbidden || strings.Contains(got.body, "0123456789abcdef") {
			t.Errorf("%s: %d %.100s", name, got.status, got.body)
		}
		if len(got.body) > 120 || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: answered with %q, %v", name, got.body, got.header)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if got := do(t, method, data+"?"+query); got.status != http.StatusForbidden {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	if n := b.origin.count() - asked; n != 0 {
		t.Errorf("refused requests made %d requests to the origin", n)
	}
}

// strayBits spells the same signature with a last character whose unused bits
// are set.
func strayBits(query string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(query) - 2
	return query[:last] + string(alphabet[strings.IndexByte(alphabet, query[last])+1]) + "="
}

func signedExpires(key []byte, prefix, expires string) string {
	text := "URLPrefix=" + base64.URLEncoding.EncodeToString([]byte(prefix)) + "&Expires=" + expires + "&KeyName=new"
	return text + "&Signature=" + sign(key, text)
}

// These requests are written by hand: an HTTP client would tidy them up.
func TestPathTricksDoNotLeaveTheSignedFolder(t *testing.T) {
	t.Parallel()
	b := start(t)
	host := strings.TrimPrefix(b.URL(), "http://")
	_, query, _ := strings.Cut(b.sign(t, folder).Data, "?")
	for _, c := range []struct{ target, host string }{
		{"/" + folder + "../other/data", host},
		{"/" + folder + "%2e%2e/other/data", host},
		{"/" + folder + ".%2E/other/data", host},
		{"/" + folder + "%2e./other/data", host},
		{"/" + folder + "..%2fother/data", host},
		{"/" + folder + "..%5cother/data", host},
		{"/" + folder + `..\other\data`, host},
		{"/" + folder + "%252e%252e/other/data", host},
		{"/" + folder + "./data", host},
		{"/" + folder + "/data", host},
		{"//" + folder + "data", host},
		{"/" + folder + "data/..", host},
		{"/" + folder + "data%00", host},
		{"/" + folder + "data%0a", host},
		{"/" + folder + "data%zz", host},
		{"/" + folder + "data#", host},
		{"/audio%2f" + strings.TrimPrefix(folder, "audio/") + "data", host},
		{"/audio/other/data", host + "/" + strings.TrimSuffix(folder, "/")},
		{"http://" + host + "/" + folder + "data", host},
		{"/audio/other/data", "evil.example.com"},
	} {
		status := rawGet(t, host, c.target+"?"+query, c.host)
		if status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("%s for host %s: %d", c.target, c.host, status)
		}
	}
	if n := b.origin.count(); n != 0 {
		t.Errorf("refused requests made %d requests to the origin", n)
	}
	if status := rawGet(t, host, "/"+folder+"data?"+query, host); status != http.StatusOK {
		t.Errorf("the plain path: %d", status)
	}
}

func rawGet(t *testing.T, addr, target, host string) int {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, host); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func FuzzParseSignature(f *testing.F) {
	key := keys()["new"]
	expires := time.Unix(1_800_000_000, 0)
	good := prefixQuery(key, "new", "http://cdn.example.com/"+folder, expires)
	_, whole, _ := strings.Cut(wholeURL(key, "new", "http://cdn.example.com/"+folder+"data", expires), "?")
	f.Add("http://cdn.example.com/"+folder+"data", good)
	f.Add("http://cdn.example.com/"+folder+"data", whole)
	f.Add("http://cdn.example.com/audio/other/data", good)
	f.Add("", "URLPrefix=&Expires=&KeyName=&Signature=")
	f.Add("", "Expires=1&KeyName=new&Signature=&Signature=")
	f.Add("", "Expires=1&KeyName=new&Signature=AA\nAA")
	f.Add("http://cdn.example.com", "URLPrefix=aHR0cDovLw==&Expires=9&KeyName=new&Signature=AAAA&")
	f.Fuzz(func(t *testing.T, url, query string) {
		s, err := parseSignature(query)
		if err != nil {
			return
		}
		if s.signed+"&Signature="+base64.URLEncoding.EncodeToString(s.mac) != query {
			t.Fatalf("%q does not read back", query)
		}
		if s.verify(url, keys(), expires.Add(-time.Second)) != nil {
			return
		}
		// Without the keys nobody can write another valid one than the seeds.
		inFolder := strings.HasPrefix(url, "http://cdn.example.com/"+folder)
		if !inFolder || (query != good && query != whole) {
			t.Fatalf("%q opens %q", query, url)
		}
	})
}
