package functions

import (
	"strings"
	"testing"
)

func TestManifestLoads(t *testing.T) {
	m, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	f, ok := m.Function("playback-stream")
	if !ok || f.Folder() != "playback/stream" || f.Routes[0].Scope != "streaming" {
		t.Errorf("playback-stream = %+v, folder %q", f, f.Folder())
	}
}

// What a manifest may not say, and the words in which it is refused.
func TestParseRefuses(t *testing.T) {
	const rest = "memory: 256Mi, cpu: 1, concurrency: 1, timeout: 30s, max_instances: 1"
	for _, test := range []struct{ name, yaml, want string }{
		{"unknown field", "functionz: []", "functionz"},
		{"topic twice", "topics: [{name: a, message: M}, {name: a, message: M}]", `"a" is declared twice`},
		{"topic of nothing", "topics: [{name: a}]", "either a message or a bucket"},
		{"topic of two things", "topics: [{name: a, message: M, dead_letters: true}]", "either a message or a bucket"},
		{"dead letters twice", "topics: [{name: a, dead_letters: true}, {name: b, dead_letters: true}]", `"a" and "b" both carry dead letters`},
		{"function twice", "functions: [{name: a-b, kind: scheduled, schedule: '* * * * *', " + rest + "}, {name: a-b, kind: scheduled, schedule: '* * * * *', " + rest + "}]", `"a-b" is declared twice`},
		{"name", "functions: [{name: Stream, kind: scheduled, schedule: '* * * * *', " + rest + "}]", "domain-function"},
		{"kind", "functions: [{name: a-b, kind: cron, " + rest + "}]", `kind "cron"`},
		{"no routes", "functions: [{name: a-b, kind: http, " + rest + "}]", "has routes"},
		{"topic unknown", "functions: [{name: a-b, kind: event, topics: [nowhere], " + rest + "}]", `topic "nowhere" is not declared`},
		{"no topics", "functions: [{name: a-b, kind: event, " + rest + "}]", "has topics"},
		{"topic named twice", "topics: [{name: t, message: M}]\nfunctions: [{name: a-b, kind: event, topics: [t, t], " + rest + "}]", `topic "t" is named twice`},
		{"topic of a schedule", "topics: [{name: t, message: M}]\nfunctions: [{name: a-b, kind: scheduled, schedule: '* * * * *', topics: [t], " + rest + "}]", "only an event function"},
		{"event too slow", "topics: [{name: t, message: M}]\nfunctions: [{name: a-b, kind: event, topics: [t], memory: 1Gi, cpu: 1, concurrency: 1, timeout: 600s, max_instances: 1}]", "9m0s at most"},
		{"schedule", "functions: [{name: a-b, kind: scheduled, schedule: hourly, " + rest + "}]", "five fields"},
		{"no timeout", "functions: [{name: a-b, kind: scheduled, schedule: '* * * * *', memory: 1Gi, cpu: 1, concurrency: 1, max_instances: 1}]", "timeout is missing"},
		{"secret", "functions: [{name: a-b, kind: scheduled, schedule: '* * * * *', secrets: [KEY], " + rest + "}]", "KEY is not in environment"},
		{"method", "functions: [{name: a-b, kind: http, routes: [{method: get, path: /a}], " + rest + "}]", `method "get"`},
		{"path", "functions: [{name: a-b, kind: http, routes: [{method: GET, path: a/}], " + rest + "}]", `path "a/"`},
		{"path of two owners", "functions: [{name: a-b, kind: http, routes: [{method: GET, path: '/x/{id}'}], " + rest + "}, {name: a-c, kind: http, routes: [{method: PUT, path: '/x/{key}'}], " + rest + "}]", `belongs to "a-b"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.yaml))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
		})
	}
}
