package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// recorder notes every ffmpeg and ffprobe that this process runs, by way of
// PATH: before the real program lies a script that writes its arguments down and
// then becomes it. What this costs, some milliseconds of a track's twenty
// seconds, counts as ours.
type recorder struct {
	log  string            // what the scripts write
	tmp  string            // where the functions keep their files
	real map[string]string // path of each program
	read int64
}

// command is a program and its arguments.
type command struct {
	program string // its name
	args    []string
}

var programs = []string{"ffmpeg", "ffprobe"}

// record begins to note the commands of this process. It is for its whole life:
// PATH and TMPDIR are everyone's.
func record(dir string) (*recorder, error) {
	r := &recorder{log: filepath.Join(dir, "commands"), tmp: filepath.Join(dir, "tmp"), real: map[string]string{}}
	bin := filepath.Join(dir, "bin")
	if err := errors.Join(os.MkdirAll(bin, 0o755), os.MkdirAll(r.tmp, 0o755)); err != nil {
		return nil, err
	}
	for _, p := range programs {
		real, err := exec.LookPath(p)
		if err != nil {
			return nil, fmt.Errorf("%s is missing: run scripts/setup (%w)", p, err)
		}
		r.real[p] = real
		// The number of arguments goes first: any of them may be empty. One write,
		// so that two programs at once do not mix.
		script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\0' \"$#\" %s \"$@\" >>%s\nexec %s \"$@\"\n", p, quote(r.log), quote(real))
		if err := os.WriteFile(filepath.Join(bin, p), []byte(script), 0o755); err != nil {
			return nil, err
		}
	}
	return r, errors.Join(
		os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH")),
		os.Setenv("TMPDIR", r.tmp),
	)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// take returns the commands since the last call.
func (r *recorder) take() ([]command, error) {
	b, err := os.ReadFile(r.log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fresh := b[r.read:]
	r.read = int64(len(b))
	return parseCommands(fresh)
}

func parseCommands(b []byte) ([]command, error) {
	var all []command
	parts := bytes.Split(b, []byte{0})
	parts = parts[:len(parts)-1] // after the last NUL is nothing
	for len(parts) > 0 {
		n, err := strconv.Atoi(string(parts[0]))
		if err != nil || n < 0 || len(parts) < n+2 {
			return nil, fmt.Errorf("the record of commands is broken at %q", parts[0])
		}
		c := command{program: string(parts[1])}
		for _, a := range parts[2 : n+2] {
			c.args = append(c.args, string(a))
		}
		all, parts = append(all, c), parts[n+2:]
	}
	return all, nil
}
