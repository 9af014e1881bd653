package cloudrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/crash"
)

// instance is a function alone in its process.
type instance struct {
	host  *Host
	f     functions.Function
	dir   string // where its crash points are armed
	log   io.Writer
	slots chan struct{} // one for each request at once

	starting sync.Mutex // held while the process starts or stops

	mu      sync.Mutex // guards what follows
	process *part.Process
	to      *url.URL
	starts  int
	ready   bool // it has listened
	stopped bool
	last    *int // what the process before ended with
}

func newInstance(h *Host, f functions.Function, dir string, log io.Writer) *instance {
	return &instance{host: h, f: f, dir: dir, log: log, slots: make(chan struct{}, max(f.Concurrency, 1))}
}

// ServeHTTP waits until an instance is free, as the platform does, starts the
// process if there is none, and hands the request on. One that the process dies
// of is answered with 503.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-r.Context().Done():
		http.Error(w, "no instance was free", http.StatusTooManyRequests)
		return
	}
	to, err := i.up(r.Context())
	if err != nil {
		fmt.Fprintf(i.log, "%s %s: %v\n", r.Method, r.URL.Path, err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	http.StripPrefix("/"+i.f.Name, &httputil.ReverseProxy{
		Rewrite: rewrite(to), ErrorHandler: unreachable(i.log),
	}).ServeHTTP(w, r)
}

// up returns where the process listens, once it does.
func (i *instance) up(ctx context.Context) (*url.URL, error) {
	i.starting.Lock()
	defer i.starting.Unlock()
	i.mu.Lock()
	p, to, running, ready, stopped := i.process, i.to, i.running(), i.ready, i.stopped
	i.mu.Unlock()
	switch {
	case stopped:
		return nil, errStopping
	case !running:
		return i.start(ctx)
	case !ready: // who started it did not wait to the end
		return to, i.settle(ctx, p, to)
	}
	return to, nil
}

var errStopping = errors.New("the functions are stopping")

func (i *instance) running() bool {
	if i.process == nil {
		return false
	}
	_, ended := i.process.Status()
	return !ended
}

// start starts a process and waits until it listens.
func (i *instance) start(ctx context.Context) (*url.URL, error) {
	port, err := part.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives the request that starts it
	cmd.Env = append(os.Environ(), portVariable+"="+strconv.Itoa(port), "FUNCTION_TARGET="+i.f.Name, crash.Folder+"="+i.dir)
	for k, v := range i.host.env() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	p, err := part.StartProcess(i.f.Name, i.log, cmd)
	if err != nil {
		return nil, err
	}
	to := &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(port)}
	i.mu.Lock()
	i.process, i.to, i.ready = p, to, false
	i.starts++
	stopped := i.stopped
	i.mu.Unlock()
	go i.bury(p)
	if stopped { // meanwhile: stop did not see it
		return nil, errors.Join(errStopping, p.Stop(ctx))
	}
	return to, i.settle(ctx, p, to)
}

func (i *instance) settle(ctx context.Context, p *part.Process, to *url.URL) error {
	if err := i.await(ctx, p, to.String()); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ready = true
	return nil
}

// bury notes what a process ended with: its end is not the host's.
func (i *instance) bury(p *part.Process) {
	<-p.Ended()
	status, _ := p.Status()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = &status
	if !i.stopped && i.process == p {
		fmt.Fprintf(i.log, "ended with %d; its next request starts it again\n", status)
	}
}

func (i *instance) await(ctx context.Context, p *part.Process, base string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if healthy(ctx, base) == nil {
			return nil
		}
		select {
		case <-p.Ended():
			return fmt.Errorf("%s ended before it was up", i.f.Name)
		case <-ctx.Done():
			// It goes on starting, for the next request.
			return fmt.Errorf("%s is not up: %w", i.f.Name, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// stop ends the process, and starts none any more.
func (i *instance) stop(ctx context.Context) error {
	i.mu.Lock()
	i.stopped = true
	p := i.process
	i.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.Stop(ctx)
}
