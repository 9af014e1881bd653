package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segue-audio/segue/emulators/part"
)

const playFunction = "playback-stream"

// deployed is playback-stream in a process of its own, asked without anything
// between: what it takes is its own.
type deployed struct {
	*part.Process
	addr  string
	began time.Time
	up    time.Duration // from then to its first answer
	log   string        // file
	heap  *os.File
	lines *bufio.Reader // of heap
}

// alone builds the program that links this function only, once.
func (w *world) alone(ctx context.Context) (string, error) {
	if w.program != "" {
		return w.program, nil
	}
	path := filepath.Join(w.dir, playFunction)
	var messages tail
	cmd := exec.CommandContext(ctx, cmp.Or(w.getenv("GO"), "go"), "build", "-o", path, "github.com/segue-audio/segue/scripts/bench/alone")
	cmd.Stderr = &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", playFunction, err, &messages)
	}
	w.program = path
	return path, nil
}

// deploy starts a program that serves playback-stream, and waits until it has
// answered one request with 200. Variables come on top of the world's.
func (w *world) deploy(ctx context.Context, program string, env map[string]string, first []byte) (d *deployed, err error) {
	port, err := part.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	// A file: its log costs this process nothing.
	log, err := os.CreateTemp(w.dir, playFunction+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	heap, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(program) //nolint:noctx // it outlives the call that starts it
	// The second variable is that of emulators/cloudrun, whose program links all.
	cmd.Env = append(os.Environ(), "FUNCTION_TARGET="+playFunction, "PORT="+strconv.Itoa(port), "SEGUE_FUNCTIONS_PORT="+strconv.Itoa(port))
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.ExtraFiles = []*os.File{theirs}
	d = &deployed{addr: "127.0.0.1:" + strconv.Itoa(port), began: time.Now(), log: log.Name(), heap: heap, lines: bufio.NewReader(heap)}
	if d.Process, err = part.StartProcess(playFunction, log, cmd); err != nil {
		return nil, errors.Join(err, heap.Close())
	}
	if err := d.await(ctx, first); err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not answer: %w: %s", playFunction, err, d.said()), d.end(ctx))
	}
	return d, nil
}

const (
	startPoll  = 5 * time.Millisecond
	startLimit = 30 * time.Second
)

// await asks until the answer is 200.
func (d *deployed) await(ctx context.Context, first []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		c, err := dial(ctx, d.addr)
		if err == nil {
			var status int
			var body []byte
			status, body, err = c.ask(first)
			c.close()
			if err == nil && status == http.StatusOK {
				d.up = time.Since(d.began)
				return nil
			}
			err = cmp.Or(err, fmt.Errorf("%d: %s", status, body))
		}
		select {
		case why := <-d.Failed():
			return why
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// live is what is alive after a collection, in bytes. A request that is under way
// keeps its own; the least of some readings has none of them.
func (d *deployed) live(ctx context.Context) (int64, error) {
	least := int64(0)
	for range 5 {
		if err := wait(ctx, startPoll); err != nil {
			return 0, err
		}
		if err := syscall.Kill(d.PID(), syscall.SIGUSR1); err != nil {
			return 0, fmt.Errorf("ask for the heap: %w", err)
		}
		if err := d.heap.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return 0, err
		}
		line, err := d.lines.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("read the heap: %w", cmp.Or(context.Cause(ctx), err))
		}
		bytes, _, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(bytes, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the heap: %w", err)
		}
		if least == 0 || n < least {
			least = n
		}
	}
	return least, nil
}

// said is the end of its log.
func (d *deployed) said() string {
	f, err := os.Open(d.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if stat, err := f.Stat(); err == nil && stat.Size() > tailSize {
		if _, err := f.Seek(-tailSize, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	return cmp.Or(lastLines(string(b), 3), fmt.Sprint("it said nothing: ", err))
}

func (d *deployed) end(ctx context.Context) error {
	return errors.Join(d.Stop(context.WithoutCancel(ctx)), d.heap.Close(), os.Remove(d.log))
}
