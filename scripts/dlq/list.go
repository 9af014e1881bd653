package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/deadletter"
)

func (a *app) listCommand() *cobra.Command {
	var s deadletter.Selection
	var since string
	cmd := &cobra.Command{
		Use: "list", Short: "List what waits for an operator, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if s.Since, err = a.since(since); err != nil {
				return misused(cmd, err)
			}
			if s.Limit < 0 {
				return misused(cmd, fmt.Errorf("--limit %d is less than 0", s.Limit))
			}
			return a.list(cmd, s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Function, "function", "", "only those of this function")
	f.StringVar(&s.Topic, "topic", "", "only those of this topic")
	f.StringVar(&since, "since", "", "only those of this long ago at most, such as 2h, or since a time such as 2026-11-24T03:00:00Z")
	f.BoolVar(&s.Replayed, "all", false, "those that were replayed too")
	f.IntVar(&s.Limit, "limit", 100, "at most so many; 0: all")
	return cmd
}

func (a *app) since(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return a.now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("--since %q is neither a duration such as 2h nor a time such as 2026-11-24T03:00:00Z", s)
	}
	return t, nil
}

func (a *app) list(cmd *cobra.Command, s deadletter.Selection) error {
	st, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	n := 0
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	err = deadletter.Find(cmd.Context(), st.spanner, s, func(l *deadletter.Letter) error {
		n++
		if a.json {
			return a.writeJSON(describe(l, false))
		}
		if n == 1 {
			fmt.Fprintln(w, "ID\tFIRST SEEN\tFUNCTION\tTOPIC\tREPLAYED\tERROR")
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, stamp(l.FirstSeen), or(l.Function, "unknown"), or(l.Topic, "unknown"), or(stamp(l.ReplayedAt), "-"), brief(why(l)))
		return err
	})
	if err != nil || a.json {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch n {
	case 0:
		fmt.Fprintln(a.err, "no dead letters")
	case s.Limit:
		fmt.Fprintf(a.err, "the first %d; --limit 0 lists all\n", n)
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// why is the error, or where to look for it.
func why(l *deadletter.Letter) string {
	switch {
	case l.Error != "":
		return l.Error
	case l.TraceID != "":
		return "unknown; see the logs of trace " + l.TraceID
	}
	return "unknown"
}

// brief is the begin of a text, on one line.
func brief(s string) string {
	const most = 100
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(r)
}
