// Command emulators runs a whole Segue on this machine: the emulators of Google
// Cloud, every function, and a first bit of music.
//
//	go run ./emulators [flags]
//	go run ./emulators exec COMMAND…   the stores alone, around a command
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/emulators/demo"
	"github.com/segue-audio/segue/emulators/harness"
)

func main() {
	cloudrun.Child() // does not return in the functions' process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(ctx)
	// A second Ctrl-C ends at once: signals have their default effect again.
	context.AfterFunc(ctx, stop)
	watchParent(cancel)
	code, err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "emulators:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	if len(args) > 0 && args[0] == "exec" {
		return execute(ctx, args[1:])
	}
	o := harness.Options{Out: os.Stdout}
	flags := flag.NewFlagSet("emulators", flag.ContinueOnError)
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:8080", "`host:port` of the API")
	flags.StringVar(&o.Data, "data", ".segue", "`folder` for keys, objects, rows, downloads and the file env: what is kept between runs")
	flags.BoolVar(&o.Ephemeral, "ephemeral-ports", false, "take any free ports, so that several harnesses run side by side")
	flags.IntVar(&o.Copies, "copies", 1, "deliver each event this `often`, the first two copies at once")
	flags.Func("separate", "`functions`, with commas, or all: each runs in a process of its own, which is started again when it dies", func(s string) error {
		o.Separate = strings.Split(s, ",")
		return nil
	})
	flags.Float64Var(&o.AbortRate, "abort-rate", 0.05, "the `share` of Spanner commits that are aborted and tried again")
	flags.BoolVar(&o.Faults, "faults", false, "put a toxiproxy between the functions and each store; SEGUE_FAULTS_URL is its API")
	flags.DurationVar(&o.ExportEvery, "export-every", time.Minute, "how `often` the rows are kept, besides at a clean stop")
	music := flags.String("demo", "first", "the `music` to begin with: first (three tracks, then the rest of the album in the background), full (three albums) or none")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0, nil
		}
		return 2, err
	}
	if flags.NArg() > 0 {
		return 2, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if o.Ephemeral && !set(flags, "addr") {
		o.Addr = ""
	}
	if o.ExportEvery <= 0 {
		return 2, fmt.Errorf("--export-every %s is no interval", o.ExportEvery)
	}
	switch *music {
	case "first":
		o.Demo, o.Background = demo.First, demo.Rest
	case "full":
		o.Demo, o.Background = demo.First, demo.Full
	case "none":
	default:
		return 2, fmt.Errorf("--demo %q is neither first, full nor none", *music)
	}
	return 0, harness.Run(ctx, o)
}

func set(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
