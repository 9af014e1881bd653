package part

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is an in-process HTTP server on loopback.
type Server struct {
	name   string
	http   *http.Server
	l      net.Listener
	failed chan error
}

// StartServer listens and serves. Port 0 takes any free port.
func StartServer(ctx context.Context, name string, port int, h http.Handler) (*Server, error) {
	l, err := Listen(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Serve(name, l, h), nil
}

// Serve serves on a listener that is already open, for parts that must know
// their address before their handler exists.
func Serve(name string, l net.Listener, h http.Handler) *Server {
	s := &Server{
		name: name, l: l, failed: make(chan error, 1),
		http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s ended by itself: %w", name, err)
		}
	}()
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return s.l.Addr().String() }

// URL is the server's base URL, without a trailing slash.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Failed delivers one error when the server ends without Stop.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop lets requests in flight finish for as long as ctx lasts, then cuts them.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}
