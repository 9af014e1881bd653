package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// report is all that was measured.
type report struct {
	count   int
	results []result
}

func (r *report) exit() int {
	code := exitOK
	for i := range r.results {
		switch r.results[i].verdict() {
		case broken:
			code = max(code, exitBroken)
		case failed:
			code = exitFailed
		}
	}
	return code
}

func (r *report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tMEDIAN\tUNIT\tSPREAD\tBUDGET\tVERDICT\tHOW")
	for i := range r.results {
		x := &r.results[i]
		middle, spread, how := "-", "-", x.how
		if len(x.samples) > 0 && x.err == nil {
			middle = figure(median(x.samples))
			spread = figure(slices.Min(x.samples)) + "…" + figure(slices.Max(x.samples))
		}
		if x.note != "" {
			how += "; " + x.note
		}
		if x.err != nil {
			how = strings.ReplaceAll(x.err.Error(), "\n", "; ")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.name, middle, x.unit, spread, x.budget, x.verdict(), how)
	}
	return t.Flush()
}

func (a *app) writeList(rows []row) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tUNIT\tBUDGET\tHOW")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.name, r.unit, r.budget, r.how)
	}
	return t.Flush()
}

// String is a budget in the table.
func (b *budget) String() string {
	switch {
	case b == nil:
		return "-"
	case b.least:
		return "≥ " + figure(b.limit)
	}
	return "≤ " + figure(b.limit)
}

// figure has three digits that count.
func figure(v float64) string {
	digits := 2
	if v != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

type jsonReport struct {
	Schema  int       `json:"schema"`
	Verdict string    `json:"verdict"`
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	CPUs    int       `json:"cpus"`
	Go      string    `json:"go"`
	Count   int       `json:"count"`
	Rows    []jsonRow `json:"rows"`
}

type jsonRow struct {
	Name    string             `json:"name"`
	Unit    string             `json:"unit"`
	How     string             `json:"how"`
	Samples []float64          `json:"samples"`
	Median  *float64           `json:"median"`
	Min     *float64           `json:"min"`
	Max     *float64           `json:"max"`
	Budget  map[string]float64 `json:"budget"`
	Verdict string             `json:"verdict"`
	Note    string             `json:"note"`
	Error   string             `json:"error"`
}

// writeJSON writes the object that the package's doc describes.
func (r *report) writeJSON(w io.Writer) error {
	all := jsonReport{
		Schema: 1, Verdict: []string{"ok", "broken", "failed"}[r.exit()],
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Count: r.count, Rows: []jsonRow{},
	}
	for i := range r.results {
		x := &r.results[i]
		row := jsonRow{
			Name: x.name, Unit: x.unit, How: x.how, Samples: append([]float64{}, x.samples...),
			Verdict: strings.ToLower(x.verdict()), Note: x.note,
		}
		if len(x.samples) > 0 {
			middle, low, high := median(x.samples), slices.Min(x.samples), slices.Max(x.samples)
			row.Median, row.Min, row.Max = &middle, &low, &high
		}
		if x.budget != nil {
			kind := "at_most"
			if x.budget.least {
				kind = "at_least"
			}
			row.Budget = map[string]float64{kind: x.budget.limit}
		}
		if x.err != nil {
			row.Error = x.err.Error()
		}
		all.Rows = append(all.Rows, row)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}
