// Package cloudrun hosts the functions as Cloud Run does: in processes of their
// own, started with an environment and a port, behind a front that lets only
// the right callers in and cuts what takes longer than the manifest allows. The
// Functions Framework inside the process is the real one.
package cloudrun

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
)

// Options of a Host.
type Options struct {
	Port     int // of the front; 0 takes any free port
	Manifest *functions.Manifest
	// Env is the environment of the functions' process, on top of ours.
	Env map[string]string
	// Verify says whether a service's token is good for an audience.
	Verify func(token, audience string) error
	// Target runs one function only, alone in its process.
	Target string
	Log    io.Writer
}

// Host is a process of functions and its front.
type Host struct {
	options Options
	process *part.Process
	front   *part.Server
	port    int // of the process
	failed  chan error
}

// New makes a host that has not started.
func New(o Options) *Host { return &Host{options: o, failed: make(chan error, 1)} }

// Name is functions.
func (h *Host) Name() string { return "functions" }

// URL is the base URL of a function: the audience of tokens for it.
func (h *Host) URL(function string) string { return h.front.URL() + "/" + function }

// Listen opens the front before the functions run, for whoever must know their
// URLs first. Until Start, calls are answered with 503.
func (h *Host) Listen(ctx context.Context) error {
	port, err := part.FreePort(ctx)
	if err != nil {
		return err
	}
	h.port = port
	h.front, err = part.StartServer(ctx, "functions", h.options.Port, h.handler())
	return err
}

// Start starts the process and waits until all functions are ready.
func (h *Host) Start(ctx context.Context) error {
	if h.front == nil {
		if err := h.Listen(ctx); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives ctx, which bounds the start only
	cmd.Env = append(os.Environ(), portVariable+"="+strconv.Itoa(h.port), "FUNCTION_TARGET="+h.options.Target)
	for k, v := range h.options.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if h.process, err = part.StartProcess("functions", h.options.Log, cmd); err != nil {
		return err
	}
	if err := h.await(ctx); err != nil {
		_ = h.Stop(context.WithoutCancel(ctx))
		return err
	}
	go func() {
		select {
		case err := <-h.front.Failed():
			h.failed <- err
		case <-h.process.Ended():
			// By itself it leaves the reason, told to by Stop it leaves none.
			select {
			case err := <-h.process.Failed():
				h.failed <- err
			default:
			}
		}
	}()
	return nil
}

func (h *Host) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if h.Health(ctx) == nil {
			return nil
		}
		select {
		case err := <-h.process.Failed():
			return err
		case <-ctx.Done():
			return fmt.Errorf("the functions are not up: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// Health asks the framework for a path that no function has.
func (h *Host) Health(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base()+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (h *Host) base() string { return fmt.Sprintf("http://127.0.0.1:%d", h.port) }

// Stop lets requests in flight finish, as the platform does, then ends all.
func (h *Host) Stop(ctx context.Context) error {
	if h.process != nil {
		if err := h.process.Stop(ctx); err != nil {
			return err
		}
	}
	if h.front != nil {
		return h.front.Stop(ctx)
	}
	return nil
}

// Failed delivers why the functions ended by themselves.
func (h *Host) Failed() <-chan error { return h.failed }

// PID is the process of the functions.
func (h *Host) PID() int { return h.process.PID() }

// proxy leads to the process; in FUNCTION_TARGET mode its function is at /.
func (h *Host) proxy() http.Handler {
	to, _ := url.Parse(h.base())
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			// The gateway before us is the load balancer that sets these.
			for _, k := range []string{"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-For"} {
				r.Out.Header[k] = r.In.Header[k]
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			status := http.StatusServiceUnavailable
			if r.Context().Err() != nil {
				status = http.StatusGatewayTimeout
			}
			fmt.Fprintf(h.options.Log, "%s %s: %v\n", r.Method, r.URL.Path, err)
			http.Error(w, http.StatusText(status), status)
		},
	}
	if h.options.Target != "" {
		return http.StripPrefix("/"+h.options.Target, p)
	}
	return p
}
