// Package scheduler plays Cloud Scheduler: it calls the manifest's scheduled
// functions when their time has come, in UTC, and when it is told to. It does
// not retry a run that failed: the next one is the retry.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
)

// Options says what to call.
type Options struct {
	Port     int // of the part's server; 0 takes any free port
	Manifest *functions.Manifest
	// FunctionURL is the base URL of a function of the manifest.
	FunctionURL func(name string) string
	// Token signs the OIDC token that is presented to the function at audience.
	Token func(audience string) (string, error)
	Now   func() time.Time
	Log   io.Writer
}

// Scheduler is the clock and its server.
type Scheduler struct {
	options   Options
	log       *log.Logger
	transport *http.Transport
	jobs      map[string]*job
	cron      *cron.Cron
	cancel    context.CancelFunc
	server    *part.Server
}

// job is a scheduled function. Running holds its one run.
type job struct {
	functions.Function
	running chan struct{}
}

var _ part.Part = (*Scheduler)(nil)

// New reads the schedules; they start with Start, and Fire works without.
func New(o Options) (*Scheduler, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Scheduler{options: o, log: log.New(o.Log, "", 0), transport: &http.Transport{}, jobs: map[string]*job{}}
	for _, f := range o.Manifest.Functions {
		if f.Kind != functions.Scheduled {
			continue
		}
		if _, err := cron.ParseStandard(f.Schedule); err != nil {
			return nil, fmt.Errorf("schedule of %s: %w", f.Name, err)
		}
		s.jobs[f.Name] = &job{Function: f, running: make(chan struct{}, 1)}
	}
	return s, nil
}

// Name is the part's name.
func (s *Scheduler) Name() string { return "scheduler" }

// URL is the server's base URL once it has started.
func (s *Scheduler) URL() string { return s.server.URL() }

// Start serves Handler and starts the clock.
func (s *Scheduler) Start(ctx context.Context) error {
	// ctx bounds the start alone; Stop cuts the runs.
	runs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	clock := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(cron.PrintfLogger(s.log)))
	for name, j := range s.jobs {
		skip := cron.SkipIfStillRunning(cron.VerbosePrintfLogger(jobLog{s.log, name}))
		if _, err := clock.AddJob(j.Schedule, skip(cron.FuncJob(func() { s.run(runs, name) }))); err != nil {
			cancel()
			return fmt.Errorf("schedule of %s: %w", name, err)
		}
	}
	server, err := part.StartServer(ctx, s.Name(), s.options.Port, s.Handler())
	if err != nil {
		cancel()
		return err
	}
	s.server, s.cron, s.cancel = server, clock, cancel
	clock.Start()
	return nil
}

// Health asks the server over HTTP.
func (s *Scheduler) Health(ctx context.Context) error {
	if s.server == nil {
		return errors.New("scheduler has not started")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("scheduler: %w", err)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("scheduler: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("scheduler: health is %s", resp.Status)
	}
	return nil
}

// Stop stops the clock and lets runs finish for as long as ctx lasts.
func (s *Scheduler) Stop(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	defer s.transport.CloseIdleConnections()
	defer s.cancel()
	select {
	case <-s.cron.Stop().Done():
	case <-ctx.Done():
	}
	return s.server.Stop(ctx)
}

// Failed delivers an error when the started server ends by itself.
func (s *Scheduler) Failed() <-chan error {
	if s.server == nil {
		return nil
	}
	return s.server.Failed()
}

// jobLog names the job in cron's lines, which do not.
type jobLog struct {
	*log.Logger
	job string
}

func (l jobLog) Printf(format string, args ...any) {
	l.Logger.Printf("job %s: %s", l.job, fmt.Sprintf(format, args...))
}

func (s *Scheduler) names() []string {
	names := make([]string, 0, len(s.jobs))
	for name := range s.jobs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
