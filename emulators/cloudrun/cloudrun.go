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
	"strconv"

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
	// Separate are functions that run alone, beside the common process.
	Separate Separate
	Log      io.Writer
}

// Host is a process of functions and its front.
type Host struct {
	options Options
	process *part.Process
	front   *part.Server
	port    int // of the process
	failed  chan error
	alone   map[string]*instance
	revision
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
	if err := h.separate(); err != nil {
		return err
	}
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
	if h.allAlone() {
		return nil
	}
	p, err := h.launch(h.port, h.options.Env, h.options.Log)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.process = p
	h.mu.Unlock()
	if err := awaitProcess(ctx, p, h.base()); err != nil {
		_ = h.Stop(context.WithoutCancel(ctx))
		return err
	}
	h.heed(p)
	return nil
}

// Health asks the framework for a path that no function has. Functions that run
// alone are well: who calls one starts it.
func (h *Host) Health(ctx context.Context) error {
	if h.allAlone() {
		return nil
	}
	return healthy(ctx, h.base())
}

func healthy(ctx context.Context, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (h *Host) base() string {
	_, port := h.common()
	return baseOf(port)
}

// Stop lets requests in flight finish, as the platform does, then ends all.
func (h *Host) Stop(ctx context.Context) error {
	if err := h.stopAlone(ctx); err != nil {
		return err
	}
	for _, p := range h.end() {
		if err := p.Stop(ctx); err != nil {
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
func (h *Host) PID() int {
	p, _ := h.common()
	return p.PID()
}

// proxy leads to the process; in FUNCTION_TARGET mode its function is at /.
func (h *Host) proxy() http.Handler {
	var p http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port, leave := h.enter()
		defer leave()
		to := &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(port)}
		(&httputil.ReverseProxy{Rewrite: rewrite(to), ErrorHandler: unreachable(h.options.Log)}).ServeHTTP(w, r)
	})
	if h.options.Target != "" {
		return http.StripPrefix("/"+h.options.Target, p)
	}
	return p
}

func rewrite(to *url.URL) func(*httputil.ProxyRequest) {
	return func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		// The gateway before us is the load balancer that sets these.
		for _, k := range []string{"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-For"} {
			r.Out.Header[k] = r.In.Header[k]
		}
	}
}

func unreachable(log io.Writer) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		status := http.StatusServiceUnavailable
		if r.Context().Err() != nil {
			status = http.StatusGatewayTimeout
		}
		fmt.Fprintf(log, "%s %s: %v\n", r.Method, r.URL.Path, err)
		http.Error(w, http.StatusText(status), status)
	}
}
