package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(contentType string) change { return header("Content-Type", contentType) }
	for _, test := range []struct {
		name, method, path, body string
		change                   change
		status                   int
		want                     string
	}{
		{"not JSON", "POST", "/v1/things", `{"title": x}`, nil, 400, "the body is not JSON, at offset 11: invalid character 'x'"},
		{"cut JSON", "POST", "/v1/things", `{"title": "a`, nil, 400, "ends in the middle"},
		{"text for a number", "POST", "/v1/things", `{"size": "9"}`, nil, 400, "field size, at offset 12: a string is not a whole number"},
		{"fraction for a whole number", "POST", "/v1/things", `{"size": 1.5}`, nil, 400, "field size, at offset 12: 1.5 is not a whole number"},
		{"too large a number", "POST", "/v1/things", `{"size": 1e400}`, nil, 400, "field size"},
		{"number for text", "POST", "/v1/things", `{"title": 9}`, nil, 400, "field title, at offset 11: a number is not a string"},
		{"object for a list", "POST", "/v1/things", `{"tags": {}}`, nil, 400, "field tags, at offset 10: an object is not a list"},
		{"list for an object", "POST", "/v1/things", `{"meta": []}`, nil, 400, "field meta, at offset 10: a list is not an object"},
		{"number for a boolean, deep", "POST", "/v1/things", `{"meta": {"explicit": 1}}`, nil, 400, "field meta.explicit, at offset 23: a number is not a boolean"},
		{"boolean for a number, deep", "POST", "/v1/things", `{"meta": {"gain": true}}`, nil, 400, "field meta.gain, at offset 22: a boolean is not a number"},
		{"number in a list of texts", "POST", "/v1/things", `{"tags": ["a", 1]}`, nil, 400, "field tags, at offset 16: a number is not a string"},
		{"no object", "POST", "/v1/things", `[]`, nil, 400, "the body, at offset 1: a list is not an object"},
		{"trailing data", "POST", "/v1/things", `{"title": "a"} {"title": "b"}`, nil, 400, "something after its JSON object, at offset 1"},
		{"trailing bracket", "POST", "/v1/things", `{"title": "a"}]`, nil, 400, "something after"},
		{"empty body", "POST", "/v1/things", "", as("application/json"), 400, "the body is empty"},
		{"blank body", "POST", "/v1/things", " \n", nil, 400, "the body is empty"},
		{"too large", "POST", "/v1/things", `{"title": "` + strings.Repeat("a", maxBody) + `"}`, nil, 413, "larger than 262144 bytes"},
		{"too large by what trails", "POST", "/v1/things", `{}` + strings.Repeat(" ", maxBody), nil, 413, "larger than 262144 bytes"},
		{"form", "POST", "/v1/things", "title=a", as("application/x-www-form-urlencoded"), 415, "application/json"},
		{"text", "POST", "/v1/things", "{}", as("text/json"), 415, "application/json"},
		{"no content type", "POST", "/v1/things", "{}", as(""), 415, "application/json"},
		{"broken content type", "POST", "/v1/things", "{}", as("application/json; charset"), 415, "application/json"},
		{"body that is not valid", "POST", "/v1/things", `{"title": "forbidden"}`, nil, 400, "title: this one is forbidden"},
		{"query number", "GET", "/v1/things/a?limit=ten", "", nil, 400, `query parameter limit: "ten" is not a whole number`},
		{"query number, empty", "GET", "/v1/things/a?limit=", "", nil, 400, `query parameter limit: "" is not a whole number`},
		{"query number, too large", "GET", "/v1/things/a?limit=9223372036854775808", "", nil, 400, "query parameter limit"},
		{"query boolean", "GET", "/v1/things/a?all=maybe", "", nil, 400, `query parameter all: "maybe" is neither true nor false`},
		{"unknown route", "GET", "/v1/other", "", nil, 404, "there is nothing at /v1/other"},
		{"root", "GET", "/", "", nil, 404, "there is nothing at /"},
		{"below a route", "GET", "/v1/things/a/b", "", nil, 404, "there is nothing at /v1/things/a/b"},
		{"method", "PATCH", "/v1/things/a", "{}", nil, 405, "PATCH is not allowed here; allowed: GET, HEAD, OPTIONS, PUT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change := test.change
			if change == nil {
				change = func(*http.Request) {}
			}
			w.do(t, test.method, test.path, test.body, change).is(t, test.status, test.want)
		})
	}
}

func TestAcceptedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		name, method, path, body, contentType string
		want                                  func(seen) bool
	}{
		{"path and query", "GET", "/v1/things/a?market=SE&limit=-3&all=true", "", "", func(s seen) bool {
			return s.ID == "a" && s.Market == "SE" && s.Limit == -3 && s.All
		}},
		{"query left out", "GET", "/v1/things/a", "", "", func(s seen) bool { return s.Market == "" && s.Limit == 0 && !s.All }},
		{"escaped path", "GET", "/v1/things/a%2Fb%20c", "", "", func(s seen) bool { return s.ID == "a/b c" }},
		{"body", "PUT", "/v1/things/a", `{"title": "t", "tags": ["x"], "meta": {"explicit": true, "gain": -1.5}}`, "application/json", func(s seen) bool {
			return s.ID == "a" && s.Thing.Title == "t" && s.Thing.Tags[0] == "x" && s.Thing.Meta.Explicit && s.Thing.Meta.Gain == -1.5
		}},
		{"path wins over body", "PUT", "/v1/things/a", `{"id": "b", "ID": "b", "Market": "NO"}`, "application/json", func(s seen) bool {
			return s.ID == "a" && s.Market == ""
		}},
		{"unknown fields", "PUT", "/v1/things/a", `{"title": "t", "later": {"x": 1}}`, "application/json", func(s seen) bool { return s.Thing.Title == "t" }},
		{"charset", "PUT", "/v1/things/a", `{"title": "ü"}`, "application/json; charset=utf-8", func(s seen) bool { return s.Thing.Title == "ü" }},
		{"kind of JSON", "PUT", "/v1/things/a", `{"title": "t"}`, "application/merge-patch+json", func(s seen) bool { return s.Thing.Title == "t" }},
		{"as large as allowed", "PUT", "/v1/things/a", `{}` + strings.Repeat(" ", maxBody-2), "application/json", func(seen) bool { return true }},
		{"body of a method without one", "GET", "/v1/things/a", `{"title": "t"}`, "text/plain", func(s seen) bool { return s.Thing.Title == "" }},
		{"trailing slash", "GET", "/v1/things/a/?market=SE", "", "", func(s seen) bool { return s.ID == "a" && s.Market == "SE" }},
		{"trailing slash after an escape", "GET", "/v1/things/a%2Fb/", "", "", func(s seen) bool { return s.ID == "a/b" }},
		{"trailing slash of a collection", "POST", "/v1/things/", `{"title": "t"}`, "application/json", func(s seen) bool { return s.Thing.Title == "t" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := w.do(t, test.method, test.path, test.body, header("Content-Type", test.contentType))
			if s := got.seen(t); !test.want(s) {
				t.Errorf("the logic saw %+v", s)
			}
		})
	}
}

func TestStatusOfSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/things/a", "", 200},
		{"PUT", "/v1/things/a", "{}", 200},
		{"POST", "/v1/things", "{}", 201},
		{"DELETE", "/v1/things", "", 202}, // the response's own
	} {
		got := w.do(t, test.method, test.path, test.body)
		if got.status != test.status || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s %s: status %d, %s", test.method, test.path, got.status, got.header.Get("Content-Type"))
		}
	}
	if got := w.do(t, "GET", "/v1/things/a", "").header.Get("Cache-Control"); got != "private" {
		t.Errorf("a response's own header = %q", got)
	}
}

// A request must never see what an earlier one brought.
func TestNothingLeaksBetweenRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := `{"title": "t", "size": 1, "tags": ["x"], "meta": {"explicit": true}}`
	if s := w.do(t, "PUT", "/v1/things/a?market=SE&limit=5", full).seen(t); s.Thing.Title != "t" {
		t.Fatalf("the logic saw %+v", s)
	}
	for range 3 {
		s := w.do(t, "PUT", "/v1/things/b", "{}").seen(t)
		if s.Thing.Title != "" || s.Thing.Size != 0 || s.Thing.Tags != nil || s.Thing.Meta.Explicit || s.Market != "" || s.Limit != 0 || s.ID != "b" {
			t.Errorf("the logic saw %+v", s)
		}
	}
}
