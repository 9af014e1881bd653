package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/event"
)

// app is one run of the command, and all of the world that it sees.
type app struct {
	getenv   func(string) string
	in       io.Reader
	out, err io.Writer
	clock    func() time.Time
	http     *http.Client
	open     func(context.Context) (*event.Writer, error)

	json, force, gcloud   bool
	nowText               string
	keyset, kek, to, dir  string
	backend               string
	dryRun, destroy, done bool
}

// usage is an error of the caller.
type usage struct{ error }

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if a.json {
		_ = a.writeJSON(map[string]string{"error": err.Error()})
	}
	fmt.Fprintln(a.err, "rotate:", err)
	if u := (usage{}); errors.As(err, &u) {
		return 2
	}
	return 1
}

func (a *app) root() *cobra.Command {
	root := group("rotate", "Change Segue's keys while it runs", a.keysetCommand(), a.cdnCommand(), a.deployCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(misused)
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "one JSON object a line")
	flags.BoolVar(&a.force, "force", false, "skip what only looks at the clock and at what is known of the instances; what would lose audio is refused all the same")
	flags.StringVar(&a.nowText, "now", "", "the `time` that it is taken to be (RFC 3339), for drills")
	return root
}

// group is a command that only has others below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				return misused(cmd, fmt.Errorf("there is no command %q", given[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	g.AddCommand(commands...)
	return g
}

// command is one that does something.
func command(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, given []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return misused(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, given []string) error { return do(cmd.Context(), given) },
	}
}

func misused(cmd *cobra.Command, err error) error {
	return usage{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
}

// now is the clock, or the time that was given.
func (a *app) now() (func() time.Time, error) {
	if a.nowText == "" {
		return a.clock, nil
	}
	t, err := time.Parse(time.RFC3339, a.nowText)
	if err != nil {
		return nil, usage{fmt.Errorf("--now %q is not a time such as 2026-11-24T12:00:00Z", a.nowText)}
	}
	return func() time.Time { return t }, nil
}

// or is the flag's value, or that of the variable which stands for it.
func (a *app) or(value, variable, flag string) (string, error) {
	if value == "" {
		value = a.getenv(variable)
	}
	if value == "" {
		return "", usage{fmt.Errorf("set %s or give %s", variable, flag)}
	}
	return value, nil
}

// result is one line on standard output.
func (a *app) result(v any, text string) error {
	if a.json {
		return a.writeJSON(v)
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// next says what the operator does now.
func (a *app) next(text string) {
	if !a.json {
		fmt.Fprintln(a.err, "next:", text)
	}
}

func (a *app) writeJSON(v any) error { return json.NewEncoder(a.out).Encode(v) }
