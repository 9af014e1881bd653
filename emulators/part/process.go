package part

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a child program. It runs in a process group of its own, so that
// Ctrl-C reaches the harness alone and Stop ends its grandchildren too, and it
// dies with the harness, however that dies.
type Process struct {
	name   string
	cmd    *exec.Cmd
	failed chan error
	ended  chan struct{}

	mu       sync.Mutex
	stopping bool
}

// StartProcess starts the program; its output goes to log.
func StartProcess(name string, log io.Writer, cmd *exec.Cmd) (*Process, error) {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	// A grandchild that keeps the pipe open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	p := &Process{name: name, cmd: cmd, failed: make(chan error, 1), ended: make(chan struct{})}
	if err := startChild(cmd); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: run scripts/setup (%w)", name, err)
		}
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	err := p.cmd.Wait()
	// What it started must not outlive it, however it ended.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	p.mu.Lock()
	defer p.mu.Unlock()
	// Before ended is closed: who waits for both must learn why.
	if !p.stopping {
		p.failed <- fmt.Errorf("%s ended by itself: %v", p.name, ended(err))
	}
	close(p.ended)
}

func ended(err error) string {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // its children had its output
		return "exit status 0"
	}
	return err.Error()
}

// Failed delivers one error when the program ends without Stop.
func (p *Process) Failed() <-chan error { return p.failed }

// Ended is closed when the program has ended, for whatever reason.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// PID is the program's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the program to end, and ends it after five seconds. Its children are
// not asked: a program that finishes its work needs them, and what is left of
// them when it ends is ended with it.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	select {
	case <-p.ended:
		return nil
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	grace := time.NewTimer(5 * time.Second)
	defer grace.Stop()
	select {
	case <-p.ended:
		return nil
	case <-grace.C:
	case <-ctx.Done():
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.ended
	return nil
}
