package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// byHand runs commands that a function ran, without the function: the same
// programs and arguments, on files on disk. It returns the CPU seconds that each
// took. Files that the functions kept below TMPDIR lie in a folder of their own
// here; an input that no command wrote is the source.
func (r *recorder) byHand(ctx context.Context, dir, source string, commands []command) ([]float64, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	folder := regexp.MustCompile(regexp.QuoteMeta(dir) + `/[^/:]+/`)
	var seconds []float64
	for _, c := range commands {
		args := make([]string, len(c.args))
		for i, a := range c.args {
			args[i] = strings.ReplaceAll(a, r.tmp, dir)
			for _, f := range folder.FindAllString(args[i], -1) {
				if err := os.MkdirAll(f, 0o755); err != nil {
					return nil, err
				}
			}
			if i == 0 || args[i-1] != "-i" {
				continue
			}
			file := strings.TrimPrefix(args[i], "file:")
			if !strings.HasPrefix(file, dir) {
				return nil, fmt.Errorf("%s reads %s, which is no file that can be had by hand", c.program, a)
			}
			if _, err := os.Stat(file); err != nil {
				if err := os.Symlink(source, file); err != nil {
					return nil, err
				}
			}
		}
		s, err := runByHand(ctx, r.real[c.program], args)
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, s)
	}
	return seconds, nil
}

func runByHand(ctx context.Context, program string, args []string) (float64, error) {
	var messages tail
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = &messages
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("by hand: %s %q: %w: %s", program, args, err, &messages)
	}
	return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// tail keeps the end of a program's messages.
type tail struct{ b bytes.Buffer }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b.Write(p)
	if t.b.Len() > 2*tailSize {
		t.b.Next(t.b.Len() - tailSize)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(t.b.String()) }
