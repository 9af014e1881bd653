package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/errs"
)

// order is what is to be replayed.
type order struct {
	ids      []string
	function string
	all      bool
	again    bool // also what was replayed before
	dryRun   bool
}

func (a *app) replayCommand() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use: "replay ID… | --function F | --all", Short: "Send messages to their topics again", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ids = args
			if err := o.check(cmd.Flags().Changed("function")); err != nil {
				return misused(cmd, err)
			}
			return a.replay(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.function, "function", "", "all of this function that wait")
	f.BoolVar(&o.all, "all", false, "all that wait")
	f.BoolVar(&o.again, "again", false, "named ones that were replayed before, once more")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be sent")
	return cmd
}

func (o order) check(function bool) error {
	ways := 0
	for _, way := range []bool{len(o.ids) > 0, function, o.all} {
		if way {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("what is to be replayed? Name ids, a --function, or --all")
	case ways > 1:
		return errors.New("either ids, or --function, or --all")
	case function && o.function == "":
		return errors.New("--function is empty")
	case o.again && len(o.ids) == 0:
		return errors.New("--again is for named ids")
	}
	return nil
}

// replay sends one after the other, the oldest first. What fails is told, and
// holds up nothing behind it.
func (a *app) replay(ctx context.Context, o order) error {
	st, err := a.open(ctx)
	if err != nil {
		return err
	}
	ids := o.ids
	if len(ids) == 0 {
		// The ids as of now: what dies again meanwhile is for another run.
		s := deadletter.Selection{Function: o.function, OldestFirst: true}
		if ids, err = deadletter.IDs(ctx, st.spanner, s); err != nil {
			return err
		}
	}
	sent, failed := 0, 0
	for i, id := range ids {
		if slices.Contains(ids[:i], id) && len(o.ids) > 0 {
			continue // named twice
		}
		words, err := a.one(ctx, st, id, o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
			words = err.Error()
			if known := (*errs.Error)(nil); errors.As(err, &known) && known.Cause == nil {
				words = known.Message
			}
		} else {
			sent++
		}
		if err := a.tell(id, words, err != nil); err != nil {
			return err
		}
	}
	done := "replayed"
	if o.dryRun {
		done = "to replay"
	}
	fmt.Fprintf(a.err, "%d %s, %d failed\n", sent, done, failed)
	if failed > 0 {
		return errFailed
	}
	return nil
}

func (a *app) tell(id, words string, failed bool) error {
	switch {
	case a.json && failed:
		return a.writeJSON(map[string]string{"id": id, "error": words})
	case a.json:
		return a.writeJSON(map[string]string{"id": id, "outcome": words})
	case failed:
		_, err := fmt.Fprintf(a.err, "dlq: %s: %s\n", id, words)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s %s\n", id, words)
	return err
}

// one publishes, then records. Die in between, and it is as if it had not been
// replayed, though it was: the next run publishes it again, under the same event
// id.
func (a *app) one(ctx context.Context, st stores, id string, o order) (string, error) {
	l, err := deadletter.Read(ctx, st.spanner, id)
	switch {
	case err != nil:
		return "", err
	case l.Topic == "":
		return "", errors.New("it does not tell from which topic it came: it was not forwarded by Pub/Sub from a subscription of ours")
	case !l.ReplayedAt.IsZero() && len(o.ids) == 0:
		return "was replayed by somebody else", nil
	case !l.ReplayedAt.IsZero() && !o.again:
		return "", fmt.Errorf("it was replayed at %s; --again sends it once more", stamp(l.ReplayedAt))
	case o.dryRun:
		return "would go to " + l.Topic, nil
	}
	data, attributes := l.Replay()
	err = st.publisher.Forward(ctx, l.Topic, data, attributes)
	if status.Code(err) == codes.NotFound {
		return "", fmt.Errorf("there is no topic %s any more", l.Topic)
	}
	if err != nil {
		return "", err
	}
	crash.Point("dlq:published")
	if err := deadletter.Replayed(ctx, st.spanner, id); err != nil {
		return "", fmt.Errorf("it was sent to %s, but is listed still: %w", l.Topic, err)
	}
	return "sent to " + l.Topic, nil
}
