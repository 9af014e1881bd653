// Command bench measures what the design sets budgets for, on real local stores,
// and prints a table: figure, median, spread, budget, verdict, and how it was
// measured.
//
//	make bench                                         what takes minutes at most
//	make bench ARGS="--run ^ingest --count 5"          some rows, five times
//	make bench ARGS="--run '^(playback|start|load)'"   presses of play, cold starts
//	make bench ARGS="--long --json"                    two-hour files too, for a machine
//
// It is not a test of behaviour. Of loads it knows one, a minute of presses of
// play; function, client and stores share the machine. Absolute times are noisy
// where machines are shared, so rows prefer CPU time, counts, bytes, and ratios
// whose two sides were measured in turn.
//
// It exits with 0 when all is within budget, 1 when a budget is broken, 2 when
// something could not be measured or it was called wrongly. `go run` makes 1 of
// any of these; a built program keeps them apart:
//
//	go build -o bin/bench ./scripts/bench && go run ./emulators exec bin/bench
//
// With --json, stdout is one object:
//
//	schema     1; a change that readers would stumble over counts it up
//	verdict    "ok", "broken" or "failed", as the exit codes 0, 1 and 2
//	os, arch, cpus, go    where it was measured
//	count      how many repetitions were asked for
//	rows       one object a row, in the order of the table:
//	  name, unit, how
//	  samples    all values; median, min and max of them, or null
//	  budget     null, or {"at_most": x}, or {"at_least": x}
//	  verdict    "ok", "broken", "info" (no budget) or "failed"
//	  note       of what the value is made up, or ""
//	  error      why it could not be measured, or ""
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/segue-audio/segue/emulators/cloudrun"
)

func main() {
	cloudrun.Child() // does not return in a function's process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends at once: signals have their default effect again.
	context.AfterFunc(ctx, stop)
	a := &app{out: os.Stdout, err: os.Stderr, getenv: os.Getenv, rows: catalogue}
	os.Exit(a.run(ctx, os.Args[1:]))
}
