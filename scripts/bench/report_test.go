package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

const golden = `{
  "schema": 1,
  "verdict": "failed",
  "os": "OS",
  "arch": "ARCH",
  "cpus": 0,
  "go": "GO",
  "count": 3,
  "rows": [
    {
      "name": "a<b",
      "unit": "u",
      "how": "as told",
      "samples": [
        3,
        1,
        2.5
      ],
      "median": 2.5,
      "min": 1,
      "max": 3,
      "budget": {
        "at_most": 2.5
      },
      "verdict": "ok",
      "note": "noted",
      "error": ""
    },
    {
      "name": "low",
      "unit": "u",
      "how": "as told",
      "samples": [
        1,
        1,
        1
      ],
      "median": 1,
      "min": 1,
      "max": 1,
      "budget": {
        "at_least": 2
      },
      "verdict": "broken",
      "note": "noted",
      "error": ""
    },
    {
      "name": "free",
      "unit": "u",
      "how": "as told",
      "samples": [
        1,
        1,
        1
      ],
      "median": 1,
      "min": 1,
      "max": 1,
      "budget": null,
      "verdict": "info",
      "note": "noted",
      "error": ""
    },
    {
      "name": "gone",
      "unit": "u",
      "how": "as told",
      "samples": [],
      "median": null,
      "min": null,
      "max": null,
      "budget": {
        "at_most": 1
      },
      "verdict": "failed",
      "note": "",
      "error": "the ruler\nis broken"
    }
  ]
}
`

func TestJSON(t *testing.T) {
	t.Parallel()
	rows := []row{
		values("a<b", atMost(2.5), 3, 1, 2.5), values("low", atLeast(2), 1, 1, 1), values("free", nil, 1, 1, 1), values("gone", atMost(1)),
	}
	code, out, _ := bench(t, rows, "--json")
	here := regexp.MustCompile(`("os": )"[a-z0-9]+"|("arch": )"[a-z0-9]+"|("cpus": )[1-9][0-9]*|("go": )"go[^"]+"`)
	kinds := []string{`"OS"`, `"ARCH"`, `0`, `"GO"`}
	got := here.ReplaceAllStringFunc(out, func(s string) string {
		name, _, _ := strings.Cut(s, ": ")
		return name + ": " + map[string]string{`"os"`: kinds[0], `"arch"`: kinds[1], `"cpus"`: kinds[2], `"go"`: kinds[3]}[name]
	})
	if code != 2 || got != golden {
		t.Errorf("exit %d\n%s", code, got)
	}
	for verdict, rows := range map[string][]row{"ok": {values("a", nil, 1, 1, 1)}, "broken": {values("a", atMost(0), 1, 1, 1)}} {
		_, out, _ := bench(t, rows, "--json")
		var got struct{ Verdict string }
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.Verdict != verdict {
			t.Errorf("%s: %v, %s", verdict, err, out)
		}
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v", c.values, got)
		}
	}
	if got := over(21, 20); got < 4.999 || got > 5.001 {
		t.Errorf("21 is %v %% over 20", got)
	}
	if got := over(10, 20); got != -50 {
		t.Errorf("10 is %v %% over 20", got)
	}
	r := trip{ours: map[string]cpu{"a": {1, 20}, "b": {2, 40}, analyze: {9, 9}}, hand: map[string]float64{"a": 19, "b": 41, analyze: 8}}
	if ours, hand := r.sums(); ours != (cpu{3, 60}) || ours.total() != 63 || hand != 60 {
		t.Errorf("a and b are %v, by hand %v", ours, hand)
	}
	for v, want := range map[float64]string{0: "0", 0.03: "0.03", 0.012345: "0.0123", 1.5: "1.5", 4.996: "5", 12.34: "12.3", 256: "256", 8192: "8192", -3.21: "-3.21"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestMemoryOfTheManifest(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{"256Mi": 256 << 20, "8Gi": 8 << 30} {
		if got, err := parseMemory(s); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Mi", "8", "8G", "-1Mi", "0Gi", "1.5Gi"} {
		if _, err := parseMemory(s); err == nil {
			t.Errorf("%q is memory", s)
		}
	}
}

func TestBenchmarkLines(t *testing.T) {
	t.Parallel()
	got, err := parseBench("goos: linux\nBenchmarkSeal/aes-128-ctr-2 \t 100 \t 1500 ns/op\t 456.7 MB/s \t 12 B/op \t 3 allocs/op\nBenchmarkUnwrap 5 20 ns/op\nPASS\n")
	if err != nil || got["BenchmarkSeal/aes-128-ctr"]["MB/s"] != 456.7 || got["BenchmarkSeal/aes-128-ctr"]["allocs/op"] != 3 || got["BenchmarkUnwrap"]["ns/op"] != 20 {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "PASS\n", "BenchmarkX 1 many ns/op\n"} {
		if _, err := parseBench(s); err == nil {
			t.Errorf("%q told of a benchmark", s)
		}
	}
}
