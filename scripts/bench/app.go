package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"
)

// app is one run of the command.
type app struct {
	out, err io.Writer
	getenv   func(string) string
	// rows are all that there is to measure, and what closes behind them.
	rows func(*app) (rows []row, closing func() error, err error)

	json, list, long bool
	pattern          string
	count            int
}

// Exit codes, by what is worst.
const (
	exitOK     = 0
	exitBroken = 1
	exitFailed = 2
)

func (a *app) run(ctx context.Context, args []string) int {
	code := exitOK
	root := &cobra.Command{
		Use: "bench", Short: "Measure Segue against its budgets",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			code, err = a.bench(cmd.Context())
			return err
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.Flags()
	flags.BoolVar(&a.json, "json", false, "one JSON object instead of a table")
	flags.BoolVar(&a.list, "list", false, "name the rows and their budgets, measure nothing")
	flags.BoolVar(&a.long, "long", false, "also what takes many minutes: files of two hours")
	flags.StringVar(&a.pattern, "run", "", "only rows whose name matches this `regexp`")
	flags.IntVar(&a.count, "count", 3, "`times` to measure each row")
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(a.err, "bench:", err)
		return exitFailed
	}
	return code
}

func (a *app) bench(ctx context.Context) (code int, err error) {
	if a.count < 1 {
		return 0, fmt.Errorf("--count %d measures nothing", a.count)
	}
	rows, closing, err := a.rows(a)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	if rows, err = a.choose(rows); err != nil {
		return 0, err
	}
	if a.list {
		return exitOK, a.writeList(rows)
	}
	r := measureAll(ctx, rows, a.count, a.err)
	if a.json {
		err = r.writeJSON(a.out)
	} else {
		err = r.writeTable(a.out)
	}
	return r.exit(), err
}

// choose takes the rows that --run and --long ask for. A pattern that no row
// fits is a mistake, not an empty table.
func (a *app) choose(all []row) ([]row, error) {
	pattern, err := regexp.Compile(a.pattern)
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	var chosen []row
	left := 0
	for _, r := range all {
		switch {
		case !pattern.MatchString(r.name):
		case r.long && !a.long:
			left++
		default:
			chosen = append(chosen, r)
		}
	}
	switch {
	case len(chosen) == 0 && left > 0:
		return nil, fmt.Errorf("--run %q fits rows that take many minutes only: add --long", a.pattern)
	case len(chosen) == 0:
		return nil, fmt.Errorf("--run %q fits no row; --list names them", a.pattern)
	}
	return chosen, nil
}
