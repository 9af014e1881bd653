package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
)

// values is a row that yields these, one a repetition, then fails.
func values(name string, b *budget, v ...float64) row {
	return row{name: name, unit: "u", how: "as told", budget: b, measure: func(_ context.Context, k int) (sample, error) {
		if k >= len(v) {
			return sample{}, errors.New("the ruler\nis broken")
		}
		return sample{value: v[k], note: "noted"}, nil
	}}
}

func bench(t *testing.T, rows []row, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	closed := 0
	a := &app{out: &stdout, err: &stderr, rows: func(*app) ([]row, func() error, error) {
		return rows, func() error { closed++; return nil }, nil
	}}
	code = a.run(t.Context(), args)
	if asked := !strings.Contains(stderr.String(), "--count") && !strings.Contains(stderr.String(), "unknown"); asked && closed != 1 {
		t.Errorf("closed %d times", closed)
	}
	return code, stdout.String(), stderr.String()
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	within, above := values("within", atMost(2), 2, 1, 9), values("above", atMost(2), 1, 3, 9)
	under, unknown := values("under", atLeast(2), 1, 3, 1), values("unknown", atMost(2), 1)
	for name, c := range map[string]struct {
		rows []row
		args []string
		code int
		want string
	}{
		"within":                  {[]row{within, values("free", nil, 1, 2, 3)}, nil, 0, `within +2 +u +1…9 +≤ 2 +ok +as told; noted`},
		"no budget":               {[]row{values("free", nil, 1, 2, 3)}, nil, 0, `free +2 +u +1…3 +- +info`},
		"at least":                {[]row{values("fast", atLeast(2), 2, 2, 1)}, nil, 0, `fast +2 +u +1…2 +≥ 2 +ok`},
		"above":                   {[]row{within, above}, nil, 1, `above +3 +u +1…9 +≤ 2 +BROKEN`},
		"under":                   {[]row{under, within}, nil, 1, `under +1 +u +1…3 +≥ 2 +BROKEN`},
		"not measured":            {[]row{unknown, within}, nil, 2, `unknown +- +u +- +≤ 2 +FAILED +the ruler; is broken`},
		"not measured, and above": {[]row{above, unknown, above}, nil, 2, `FAILED`},
		"the median of fewer":     {[]row{above}, []string{"--count", "2"}, 0, `above +2 +u +1…3 +≤ 2 +ok`},
		"a row apart":             {[]row{within, above}, []string{"--run", "^with"}, 0, `within`},
	} {
		code, out, messages := bench(t, c.rows, c.args...)
		if code != c.code || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%s: exit %d, want %d, and %q in\n%s%s", name, code, c.code, c.want, out, messages)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	slow := values("slow", nil, 1)
	slow.long = true
	rows := []row{values("quick", nil, 1, 1, 1), slow}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a pattern that fits nothing":  {[]string{"--run", "no-such"}, `--run "no-such" fits no row; --list names them`},
		"a pattern that is none":       {[]string{"--run", "("}, "--run: error parsing regexp"},
		"a long row without long":      {[]string{"--run", "slow"}, "add --long"},
		"no repetitions":               {[]string{"--count", "0"}, "--count 0 measures nothing"},
		"a count that is no number":    {[]string{"--count", "some"}, "invalid argument"},
		"a flag that does not exist":   {[]string{"--fast"}, "unknown flag: --fast"},
		"an argument that has no flag": {[]string{"quick"}, `unknown command "quick"`},
	} {
		code, out, messages := bench(t, rows, c.args...)
		if code != 2 || out != "" || !strings.Contains(messages, c.want) {
			t.Errorf("%s: exit %d, %q, want %q in %q", name, code, out, c.want, messages)
		}
	}
}

func TestListMeasuresNothing(t *testing.T) {
	t.Parallel()
	slow := values("slow", atMost(3))
	slow.long = true
	rows := []row{values("never", atLeast(1)), slow}
	code, out, messages := bench(t, rows, "--list", "--long")
	want := "FIGURE  UNIT  BUDGET  HOW\nnever   u     ≥ 1     as told\nslow    u     ≤ 3     as told\n"
	if code != 0 || out != want || messages != "" {
		t.Errorf("exit %d\n%s%s", code, out, messages)
	}
	if _, out, _ = bench(t, rows, "--list"); strings.Contains(out, "slow") {
		t.Errorf("without --long:\n%s", out)
	}
}

func TestProgressGoesToStderr(t *testing.T) {
	t.Parallel()
	once := values("once", nil, 1, 1)
	once.once = true
	_, _, messages := bench(t, []row{values("twice", nil, 1, 1), once}, "--count", "2")
	for _, want := range []string{"1/2 twice, 1 of 2", "1/2 twice, 2 of 2", "2/2 once, 1 of 1", "once: info after"} {
		if !strings.Contains(messages, want) {
			t.Errorf("no %q in\n%s", want, messages)
		}
	}
}

// What is interrupted is not measured, and says so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	first := row{name: "first", measure: func(context.Context, int) (sample, error) {
		cancel(errors.New("interrupted"))
		return sample{value: 1}, nil
	}}
	r := measureAll(ctx, []row{first, values("second", nil, 1)}, 1, &bytes.Buffer{})
	if r.exit() != 2 || r.results[0].err != nil || r.results[1].err == nil || r.results[1].err.Error() != "interrupted" {
		t.Errorf("exit %d, %+v", r.exit(), r.results)
	}
}

func TestRepetitionsAreSharedAndFailOnce(t *testing.T) {
	t.Parallel()
	runs := 0
	r := &repetitions[int]{run: func(_ context.Context, k int) (int, error) {
		runs++
		if k == 1 {
			return 0, errors.New("once is enough")
		}
		return 10 * k, nil
	}}
	for _, k := range []int{0, 1, 2, 0, 1, 2} {
		v, err := r.get(t.Context(), k)
		if (err != nil) != (k == 1) || v != map[int]int{0: 0, 1: 0, 2: 20}[k] {
			t.Errorf("%d: %d, %v", k, v, err)
		}
	}
	if runs != 3 {
		t.Errorf("%d runs of 3", runs)
	}
}
