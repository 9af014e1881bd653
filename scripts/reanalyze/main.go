// Command reanalyze has playable tracks analysed whose analysis is missing or of
// an older version than this build's, or those that are named:
//
//	go run ./scripts/reanalyze              # what is missing or old
//	go run ./scripts/reanalyze --dry-run    # how many tracks that would be
//	go run ./scripts/reanalyze --track ID   # this one, whatever it has
//	go run ./scripts/reanalyze --all        # every playable track
//	go run ./scripts/reanalyze --all --after ID  # those behind this one, by id
//
// Without --all it is run again after an interruption, and finds what is left.
// --all would begin anew: when it ends early it names the last track that it asked
// for, and --after goes on from there. What a newer build has analysed is left as
// it is.
//
// It only asks for the work: functions/ingest/analyze does it. Its environment
// is the functions' (SEGUE_PROJECT, SEGUE_SPANNER_DATABASE,
// SEGUE_UPLOADS_BUCKET; locally `source .segue/env`). It exits with 1 when it
// failed and 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
)

// Config is what the command reads from its environment.
type Config struct {
	gcp.Config
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, out, messages io.Writer) int {
	s, err := parse(args, messages)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(messages, "reanalyze:", err)
		return 2
	}
	if err := open(ctx, s, out); err != nil {
		fmt.Fprintln(messages, "reanalyze:", err)
		return 1
	}
	return 0
}

func parse(args []string, messages io.Writer) (selection, error) {
	var s selection
	flags := flag.NewFlagSet("reanalyze", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.track, "track", "", "this track alone, whatever it has")
	flags.BoolVar(&s.all, "all", false, "every playable track, whatever it has")
	flags.StringVar(&s.after, "after", "", "only the tracks behind this one, in the order of their ids")
	flags.BoolVar(&s.dryRun, "dry-run", false, "only say what would be asked for")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(messages)
		fmt.Fprintln(messages, "usage: reanalyze [--track ID | [--all] [--after ID]] [--dry-run]")
		flags.PrintDefaults()
	}
	named := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { named[f.Name] = true })
	switch {
	case err != nil:
		return s, err
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q is no flag: --track names a track", flags.Arg(0))
	case named["track"] && s.track == "":
		return s, errors.New("--track is empty")
	case s.track != "" && s.all:
		return s, errors.New("either --track or --all")
	case named["after"] && !id.Valid(s.after):
		return s, fmt.Errorf("--after %q is not the id of a track", s.after)
	case s.track != "" && named["after"]:
		return s, errors.New("either --track or --after")
	}
	return s, nil
}

func open(ctx context.Context, s selection, out io.Writer) error {
	c, err := config.Load[Config](ctx)
	if err != nil {
		return err
	}
	writer, err := event.Open(c.Config)
	if err != nil {
		return err
	}
	uploads, err := gcp.For(c.Config).Bucket(c.UploadsBucket)
	if err != nil {
		return err
	}
	return reanalyze(ctx, deps{writer: writer, uploads: uploads, out: out}, s)
}
