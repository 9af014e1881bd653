// Package gateway is the load balancer's part: one address for the whole API,
// which routes each path of the manifest to the function that owns it, by path
// alone. It looks at nothing else of a request.
package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
)

// Options of a Gateway.
type Options struct {
	Addr     string // host:port to listen on; "" is loopback on any free port
	Manifest *functions.Manifest
	// FunctionURL is where a function answers.
	FunctionURL func(name string) string
	// Harness are handlers of the harness's own, by pattern.
	Harness map[string]http.Handler
	Log     io.Writer
}

// Gateway is the running load balancer.
type Gateway struct {
	options Options
	server  *part.Server
}

// New makes a gateway that does not listen yet.
func New(o Options) *Gateway { return &Gateway{options: o} }

// Name is gateway.
func (g *Gateway) Name() string { return "gateway" }

// URL is the API's base URL.
func (g *Gateway) URL() string { return g.server.URL() }

// Start listens.
func (g *Gateway) Start(ctx context.Context) error {
	handler, err := g.handler()
	if err != nil {
		return err
	}
	l, err := part.ListenOn(ctx, g.options.Addr)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	g.server = part.Serve("gateway", l, handler)
	return nil
}

// handler routes by path, a trailing slash included.
func (g *Gateway) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	owners := map[string]bool{}
	for _, f := range g.options.Manifest.Functions {
		proxy, err := g.proxy(f.Name)
		if err != nil {
			return nil, err
		}
		for _, r := range f.Routes {
			if !owners[r.Path] {
				owners[r.Path] = true
				mux.Handle(r.Path, proxy)
				mux.Handle(r.Path+"/{$}", proxy)
			}
		}
	}
	for pattern, h := range g.options.Harness {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		httpapi.WriteError(w, r, errs.New(errs.NotFound, "there is nothing at %s", r.URL.Path))
	})
	return mux, nil
}

func (g *Gateway) proxy(function string) (http.Handler, error) {
	to, err := url.Parse(g.options.FunctionURL(function))
	if err != nil {
		return nil, fmt.Errorf("URL of %s: %w", function, err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded() // replaces what a client claims
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				fmt.Fprintf(g.options.Log, "%s: %v\n", function, err)
			}
			w.Header().Set("Access-Control-Allow-Origin", "*")
			httpapi.WriteError(w, r, errs.Wrap(err, errs.Unavailable, "the service is not available; try again"))
		},
	}, nil
}

// Health asks the gateway itself.
func (g *Gateway) Health(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL()+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("gateway answers %s", resp.Status)
	}
	return nil
}

// Stop lets requests finish and stops listening.
func (g *Gateway) Stop(ctx context.Context) error {
	if g.server == nil {
		return nil
	}
	return g.server.Stop(ctx)
}

// Failed delivers why the gateway ended by itself.
func (g *Gateway) Failed() <-chan error {
	if g.server == nil {
		return nil
	}
	return g.server.Failed()
}
