package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/client"
)

// app is one run of the command, and all of the world that it sees.
type app struct {
	getenv      func(string) string
	out, err    io.Writer
	outTerminal bool
	errTerminal bool
	cache       func() (string, error)
	http        *http.Client
	sleep       func(context.Context, time.Duration) error // nil: a timer
	poll        time.Duration
	chunk       int64 // 0: the client's

	url, token string
	json       bool
}

// errFailed ends a run whose failures are told already.
var errFailed = errors.New("something failed")

// usage is an error of the caller.
type usage struct{ error }

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(context.Cause(ctx), errInterrupted):
		fmt.Fprintln(a.err, "segue: interrupted; an upload goes on where it is when the same command is run again")
		return 130
	case errors.Is(err, errFailed):
		return 1
	}
	if a.json {
		_ = a.writeJSON(map[string]string{"error": err.Error()})
	}
	fmt.Fprintln(a.err, "segue:", err)
	if u := (usage{}); errors.As(err, &u) {
		return 2
	}
	return 1
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "segue", Short: "Upload to Segue and stream from it",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(misused)
	flags := root.PersistentFlags()
	flags.StringVar(&a.url, "url", "", "where Segue is (default $SEGUE_URL)")
	flags.StringVar(&a.token, "token", "", "access token; the variable does not show it to other users (default $SEGUE_TOKEN)")
	flags.BoolVar(&a.json, "json", false, "one JSON object a line")
	for _, cmd := range []*cobra.Command{a.uploadCommand(), a.statusCommand(), a.streamCommand()} {
		args := cmd.Args
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return misused(cmd, err)
			}
			return nil
		}
		root.AddCommand(cmd)
	}
	root.Args = func(_ *cobra.Command, given []string) error {
		if len(given) > 0 {
			return usage{fmt.Errorf("there is no command %q: use upload, status or stream", given[0])}
		}
		return nil
	}
	return root
}

func misused(cmd *cobra.Command, err error) error {
	return usage{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
}

// client is for the user whose token the first variable that is set holds.
func (a *app) client(c *console, variables ...string) (*client.Client, error) {
	base := a.url
	if base == "" {
		base = a.getenv("SEGUE_URL")
	}
	u, err := url.Parse(base)
	switch {
	case base == "":
		return nil, usage{errors.New("where is Segue? Set SEGUE_URL or give --url")}
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, usage{fmt.Errorf("%q is not a URL such as https://api.example.org", base)}
	}
	token := a.token
	variables = append([]string{"SEGUE_TOKEN"}, variables...)
	for _, v := range variables {
		if token == "" {
			token = a.getenv(v)
		}
	}
	if token == "" {
		return nil, usage{fmt.Errorf("no access token: set %s or give --token", strings.Join(variables, " or "))}
	}
	return &client.Client{
		BaseURL: strings.TrimRight(base, "/"), HTTP: a.http, Sleep: a.sleep,
		Token: func() (string, error) { return token, nil },
		Retrying: func(err error, wait time.Duration) {
			c.note(fmt.Sprintf("%v; again in %.1f s", err, wait.Seconds()))
		},
	}, nil
}

func (a *app) writeJSON(v any) error { return json.NewEncoder(a.out).Encode(v) }
