package leak

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// process has the secrets and the log of the test's process.
var process = struct {
	secrets Secrets
	log     *Writer
}{}

func init() { process.log = NewWriter(&process.secrets, io.Discard) }

// Log takes what a test's parts log: it is looked at and dropped.
func Log() io.Writer { return process.log }

// Main runs a package's tests and returns their exit code. What slog logs, at
// every level, and what the process prints is looked at; the tests fail where a
// secret is among it.
func Main(run func() int) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(Log(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	return Watch(run)
}

// Watch is Main for a package that has slog do something else.
func Watch(run func() int) int {
	out, errs := os.Stdout, os.Stderr
	endOut, err := tee(&os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	endErrs, err := tee(&os.Stderr)
	if err != nil {
		endOut()
		fmt.Fprintln(errs, err)
		return 1
	}
	code := run()
	printed, said := endOut(), endErrs()
	os.Stdout, os.Stderr = out, errs
	for _, err := range []error{printed.Err(), said.Err(), process.log.Err()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// tee has what is written to a file of the process pass through a Writer, until
// end is called.
func tee(file **os.File) (end func() *Writer, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	to := NewWriter(&process.secrets, *file)
	*file = w
	var copied sync.WaitGroup
	copied.Go(func() { _, _ = io.Copy(to, r) })
	return func() *Writer {
		_ = w.Close()
		copied.Wait()
		return to
	}, nil
}
