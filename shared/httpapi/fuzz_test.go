package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/segue-audio/segue/shared/errs"
)

// Whatever the header holds, it is either a token of ours or refused as 401.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	now := w.clock.Now()
	good := w.token(f, now, nil)
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer  ", "Basic dTpw", "Bearer a.b.c", "Bearer ..", "Bearer {}", "bearer " + good, "Bearer " + good,
		"Bearer " + good + "=", "Bearer " + good[:len(good)-1], "Bearer " + strings.ToUpper(good), "Bearer\t" + good,
		"Bearer " + sign(f, w.key, jose.ES256, typ("JWT"), now, nil),
		"Bearer " + sign(f, newKey(f, "key-1"), jose.ES256, typ("at+jwt"), now, nil),
		"Bearer " + w.token(f, now, claim{"exp": now.Unix() - 60}),
		"Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer eyJhbGciOiJFUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9.e30.AA",
	} {
		f.Add(seed)
	}
	v := NewVerifier(AuthConfig{Issuer: tokenIssuer, Audience: tokenAudience}, nil, w.clock.Now)
	v.keys.keys = map[string]jose.JSONWebKey{"key-1": w.key.Public()}
	v.keys.fetched, v.keys.tried = now, now // nothing is fetched
	f.Fuzz(func(t *testing.T, authorization string) {
		c, err := v.Verify(t.Context(), http.Header{"Authorization": {authorization}})
		if err == nil && c.Subject != "user-1" {
			t.Errorf("%q speaks for %+v", authorization, c)
		}
		if err != nil && (errs.CodeOf(err) != errs.Unauthenticated || !reflect.DeepEqual(c, Caller{})) {
			t.Errorf("%q: %v, %+v", authorization, err, c)
		}
	})
}

// Whatever a request holds, it is read or refused with the client's fault, and
// what was read can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][3]string{
		{"application/json", "", `{"title": "t", "size": 1, "tags": ["a"], "meta": {"gain": 1.5}}`},
		{"application/json", "market=SE&limit=5&all=true", `{}`},
		{"application/json; charset=utf-8", "limit=x", `{"size": "x"}`},
		{"application/vnd.segue+json", "all=&market=%zz;a", `{"title": "forbidden"}`},
		{"text/plain", "", ``},
		{"application/json", "", `null`},
		{"application/json", "", `[]`},
		{"application/json", "", `{}{}`},
		{"application/json", "", `{"tags": [null, "a"], "meta": null}`},
		{"application/json", "", "{\"title\": \"\xff\\ud800\"}"},
		{"application/json", "", strings.Repeat("[", 20000)},
		{";", "&&=", `{"TITLE": 1e999}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	read := func(t *testing.T, contentType, query, body string) (r thing, err error) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/things", strings.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		req.URL.RawQuery = query
		req.Body = http.MaxBytesReader(httptest.NewRecorder(), req.Body, maxBody)
		err = decode(req, &r)
		return r, err
	}
	f.Fuzz(func(t *testing.T, contentType, query, body string) {
		r, err := read(t, contentType, query, body)
		if err != nil {
			if code := statuses[errs.CodeOf(err)]; code < 400 || code >= 500 {
				t.Errorf("decode: %v", err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := read(t, contentType, query, string(again)); err != nil || !reflect.DeepEqual(second, r) {
			t.Errorf("%+v became %+v: %v", r, second, err)
		}
	})
}
