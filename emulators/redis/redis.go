// Package redis runs a redis-server for development and tests. It keeps nothing
// between runs, as nothing that Segue has in Redis is the only copy.
package redis

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/part"
)

const install = "install it with `apt-get install redis-server` or `brew install redis`"

// Options says which server to run, and where.
type Options struct {
	Program string // empty finds redis-server on PATH
	Port    int    // 0 takes any free port
	Log     io.Writer
}

// Server is the running program.
type Server struct {
	options Options
	process *part.Process
	client  *redis.Client
	dir     string
	host    string
}

var _ part.Part = (*Server)(nil)

// New makes a server that has yet to be started.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Program == "" {
		o.Program = "redis-server"
	}
	return &Server{options: o}
}

// Name is the part's name.
func (*Server) Name() string { return "redis" }

// URL is what SEGUE_REDIS_URL is set to.
func (s *Server) URL() string { return "redis://" + s.host + "/0" }

// Start runs the server and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	program, err := exec.LookPath(s.options.Program)
	if err != nil {
		return fmt.Errorf("%s is missing: %s: %w", s.options.Program, install, err)
	}
	port := s.options.Port
	if port == 0 {
		if port, err = part.FreePort(ctx); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
	}
	if s.dir, err = os.MkdirTemp("", "segue-redis-*"); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.host = "127.0.0.1:" + strconv.Itoa(port)
	// ctx bounds the start alone; Stop ends the program. No file configures it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "no", "--dir", s.dir, "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru", "--loglevel", "warning")
	if s.process, err = part.StartProcess(s.Name(), s.options.Log, cmd); err != nil {
		return err
	}
	s.client = redis.NewClient(&redis.Options{Addr: s.host, MaxRetries: -1})
	if err := s.await(ctx); err != nil {
		// Even a start that ran out of time leaves no process.
		_ = s.Stop(context.WithoutCancel(ctx))
		return fmt.Errorf("start redis: %w", err)
	}
	return nil
}

func (s *Server) await(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.Health(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case failure := <-s.process.Failed():
			return failure
		case <-tick.C:
		}
	}
}

// Health pings the server.
func (s *Server) Health(ctx context.Context) error {
	if s.client == nil {
		return fmt.Errorf("redis does not run")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Stop ends the server.
func (s *Server) Stop(ctx context.Context) error {
	if s.client != nil {
		// A second Close says only that it was the second.
		_ = s.client.Close()
	}
	if s.dir != "" {
		defer os.RemoveAll(s.dir)
	}
	if s.process == nil {
		return nil
	}
	return s.process.Stop(ctx)
}

// Failed delivers an error when the started server ends by itself.
func (s *Server) Failed() <-chan error {
	if s.process == nil {
		return nil
	}
	return s.process.Failed()
}
