package cloudrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segue-audio/segue/emulators/part"
)

// Replace puts a process with another environment in the place of the common
// one, as a new revision does: it starts beside the old one, takes all requests
// that come once it is ready, and the old one ends after those that it has. If
// the new one does not come up, the old one stays, and the error says why. It
// returns when the old one has ended.
//
// A function that runs alone is replaced too, but one by one and between its
// requests: those that come meanwhile wait. If one of them does not come up, the
// common process and those before it have the new environment already: it is for
// the caller to replace again, with this one or the former.
func (h *Host) Replace(ctx context.Context, env map[string]string) error {
	h.replacing.Lock()
	defer h.replacing.Unlock()
	former := h.env()
	if old, oldPort := h.common(); old != nil {
		if err := h.replaceCommon(ctx, env, old, oldPort); err != nil {
			return err
		}
	}
	h.setEnv(env)
	for name, i := range h.alone {
		if err := i.replace(ctx); err != nil {
			h.setEnv(former)
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (h *Host) replaceCommon(ctx context.Context, env map[string]string, old *part.Process, oldPort int) error {
	port, err := part.FreePort(ctx)
	if err != nil {
		return err
	}
	said := &tail{to: h.options.Log}
	fresh, err := h.launch(port, env, said)
	if err != nil {
		return err
	}
	h.setBeside(fresh)
	if err := awaitProcess(ctx, fresh, baseOf(port)); err != nil {
		err = errors.Join(err, fresh.Stop(context.WithoutCancel(ctx)))
		h.setBeside(nil)
		return fmt.Errorf("%w; it said: %s", err, said)
	}
	idle, ok := h.swap(fresh, port, oldPort)
	if !ok {
		return errors.Join(errors.New("the functions are stopping"), fresh.Stop(context.WithoutCancel(ctx)))
	}
	h.heed(fresh)
	// The platform does not end an instance that has requests. From here on the
	// new one serves: a caller who hangs up does not cut the old one's requests.
	select {
	case <-idle:
	case <-old.Ended():
	}
	err = old.Stop(context.WithoutCancel(ctx))
	h.setBeside(nil)
	return err
}

// launch starts a process of functions, which is not ready yet.
func (h *Host) launch(port int, env map[string]string, log io.Writer) (*part.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives the call that starts it
	cmd.Env = append(os.Environ(), portVariable+"="+strconv.Itoa(port), "FUNCTION_TARGET="+h.options.Target)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return part.StartProcess("functions", log, cmd)
}

func baseOf(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

func awaitProcess(ctx context.Context, p *part.Process, base string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if healthy(ctx, base) == nil {
			return nil
		}
		select {
		case err := <-p.Failed():
			return err
		case <-p.Ended():
			// By itself it leaves the reason, told to by Stop it leaves none.
			select {
			case err := <-p.Failed():
				return err
			default:
				return errors.New("the functions were ended before they were up")
			}
		case <-ctx.Done():
			return fmt.Errorf("the functions are not up: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// heed listens for the end of the current process. One that was replaced left no
// reason, and its listener goes.
func (h *Host) heed(p *part.Process) {
	go func() {
		select {
		case err := <-h.front.Failed():
			h.failed <- err
		case <-p.Ended():
			// By itself it leaves the reason, told to by Stop it leaves none.
			select {
			case err := <-p.Failed():
				h.failed <- err
			default:
			}
		}
	}()
}

// revision is which process requests go to, and how many are in each.
type revision struct {
	replacing sync.Mutex // held during Replace

	mu      sync.Mutex // guards what follows
	beside  *part.Process
	ended   bool
	flights map[int]int // requests, by the port of the process
	idle    map[int]chan struct{}
}

// enter begins a request and says where it goes.
func (h *Host) enter() (port int, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	port = h.port
	if h.flights == nil {
		h.flights = map[int]int{}
	}
	h.flights[port]++
	return port, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.flights[port]--; h.flights[port] == 0 {
			delete(h.flights, port)
			if h.idle[port] != nil {
				close(h.idle[port])
				delete(h.idle, port)
			}
		}
	}
}

// swap leads requests to another process. The channel is closed when the last one
// of the old has left.
func (h *Host) swap(p *part.Process, port, oldPort int) (idle chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil, false
	}
	h.beside, h.process, h.port = h.process, p, port
	idle = make(chan struct{})
	if h.flights[oldPort] == 0 {
		close(idle)
	} else {
		h.idle = map[int]chan struct{}{oldPort: idle}
	}
	return idle, true
}

func (h *Host) common() (*part.Process, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process, h.port
}

func (h *Host) setBeside(p *part.Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beside = p
}

// end keeps Replace from going on, and gives the processes to stop.
func (h *Host) end() (all []*part.Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for _, p := range []*part.Process{h.beside, h.process} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (h *Host) env() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.options.Env
}

func (h *Host) setEnv(env map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.options.Env = maps.Clone(env)
}

// replace starts the function's process anew, if there is one, when no request
// is in it.
func (i *instance) replace(ctx context.Context) error {
	for n := range cap(i.slots) {
		select {
		case i.slots <- struct{}{}:
		case <-ctx.Done():
			for range n {
				<-i.slots
			}
			return fmt.Errorf("it is at work: %w", context.Cause(ctx))
		}
	}
	defer func() {
		for range cap(i.slots) {
			<-i.slots
		}
	}()
	i.starting.Lock()
	defer i.starting.Unlock()
	i.mu.Lock()
	old, to, running := i.process, i.to, i.running()
	i.mu.Unlock()
	if !running {
		return nil
	}
	if _, err := i.start(ctx); err != nil {
		i.mu.Lock()
		fresh := i.process
		i.process, i.to = old, to
		i.mu.Unlock()
		if fresh != nil && fresh != old {
			err = errors.Join(err, fresh.Stop(context.WithoutCancel(ctx)))
		}
		return err
	}
	return old.Stop(context.WithoutCancel(ctx))
}

// tail passes a log on and remembers its end.
type tail struct {
	to   io.Writer
	mu   sync.Mutex
	last []byte
}

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	t.mu.Unlock()
	return t.to.Write(p)
}

// String is the end of what was said, on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.last)), " ")
}
