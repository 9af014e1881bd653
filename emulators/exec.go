package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/stores"
)

// execute runs a command with stores of its own around it; the command finds
// them through its environment. It ends with the command's exit code.
func execute(ctx context.Context, args []string) (int, error) {
	if len(args) == 0 {
		return 2, errors.New("usage: emulators exec COMMAND…")
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	s, err := stores.Start(ctx, stores.Options{
		AbortRate: emutest.AbortRate, SpannerBinary: os.Getenv("SPANNER_EMULATOR_BIN"),
		Log: func(string) io.Writer { return io.Discard },
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := s.Stop(stop); err != nil {
			fmt.Fprintln(os.Stderr, "emulators:", err)
		}
	}()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A test that drives a whole harness need not build this program again.
	cmd.Env = append(os.Environ(), "SEGUE_EMULATORS_BIN="+self)
	for k, v := range s.Env() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}
