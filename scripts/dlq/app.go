package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/errs"
)

// app is one run of the command, and all of the world that it sees.
type app struct {
	out, err io.Writer
	now      func() time.Time
	open     func(context.Context) (stores, error)

	json bool
}

// usage is an error of the caller.
type usage struct{ error }

// errFailed ends a run whose failures are told already.
var errFailed = errors.New("something failed")

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(a.err, "dlq: interrupted; what was replayed is recorded, the same command goes on with the rest")
		return 130
	case errors.Is(err, errFailed):
		return 1
	}
	words := err.Error()
	if known := (*errs.Error)(nil); errors.As(err, &known) && known.Cause == nil {
		words = known.Message
	}
	fmt.Fprintln(a.err, "dlq:", words)
	if u := (usage{}); errors.As(err, &u) {
		return 2
	}
	return 1
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "dlq", Short: "Show and replay messages that no delivery got done",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, given []string) error {
			if len(given) > 0 {
				return usage{fmt.Errorf("there is no command %q: use list, show or replay", given[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(misused)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "one JSON object a line")
	for _, cmd := range []*cobra.Command{a.listCommand(), a.showCommand(), a.replayCommand()} {
		args := cmd.Args
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return misused(cmd, err)
			}
			return nil
		}
		root.AddCommand(cmd)
	}
	return root
}

func misused(cmd *cobra.Command, err error) error {
	return usage{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
}

func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
