// Package gcs is the local Cloud Storage: fake-gcs-server keeps the objects,
// and a layer in front does what the fake does not. It verifies V4 signed
// URLs, refuses what carries neither a signature nor the run's bearer, holds
// preconditions on every verb, and tells Pub/Sub of new and deleted objects.
//
// It serves the JSON API and the path-style XML API, resumable sessions of both
// included. It is not a whole Cloud Storage: batches, compositions, metadata updates, object
// ACLs, versions and virtual-hosted buckets are refused rather than pretended.
// Names that a file system cannot hold (empty, "." or ".." segments, or one
// name that is a folder of another) are refused too.
//
// A body is spooled to disk before anything is stored, so that a broken upload
// leaves nothing. A process that dies before the object is in place leaves a
// spool file or a file without attributes, both removed by the next Start; one
// that dies after it and before its notification is published loses that
// notification. A resumable session keeps what it holds on disk; one that was
// committing when the process died is settled by the next Start.
package gcs

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/segue-audio/segue/emulators/part"
)

// Options configure an Emulator.
type Options struct {
	// Port to listen on; 0 takes any free one.
	Port int
	// Dir keeps buckets, objects, resumable sessions and notification configs
	// between runs. Empty means a temporary folder that Stop removes.
	Dir string
	// Bearer is the token every request without a signature must carry.
	Bearer string
	// Signers are the service accounts, by e-mail, whose signatures count.
	Signers map[string]*rsa.PublicKey
	// Publish sends one notification to a topic (projects/P/topics/T). It is
	// called again until it succeeds. Without it buckets take no notification
	// configs.
	Publish func(ctx context.Context, topic string, data []byte, attrs map[string]string) error
	// Now is the clock that expires signatures and sessions and stamps events.
	Now func() time.Time
	// Log receives what went wrong behind the API.
	Log io.Writer
}

// Emulator is the Cloud Storage part of the harness.
type Emulator struct {
	options Options
	failed  chan error
	stopped chan struct{}
	once    sync.Once
	// log also keeps the lines of concurrent requests apart.
	log *log.Logger

	host     string
	server   *part.Server
	fake     *fakestorage.Server
	files    folders
	configs  *configs
	sessions *sessions
	outbox   *outbox
	locks    locks
}

var _ part.Part = (*Emulator)(nil)

// New is an emulator that does not serve yet.
func New(o Options) *Emulator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Signers = maps.Clone(o.Signers)
	return &Emulator{options: o, failed: make(chan error, 1), stopped: make(chan struct{}), log: log.New(o.Log, "", 0)}
}

// Name is "gcs".
func (e *Emulator) Name() string { return "gcs" }

// Start opens the store, mends what a killed run left in it, and serves.
func (e *Emulator) Start(ctx context.Context) error {
	if e.options.Bearer == "" {
		return errors.New("gcs: without a bearer every bucket would be public: set Options.Bearer")
	}
	l, err := part.Listen(ctx, e.options.Port)
	if err != nil {
		return fmt.Errorf("gcs: %w", err)
	}
	if err := e.open(l.Addr().String()); err != nil {
		return errors.Join(fmt.Errorf("gcs: %w", err), l.Close())
	}
	e.server = part.Serve(e.Name(), l, http.HandlerFunc(e.serve))
	go func() {
		select {
		case err := <-e.server.Failed():
			e.failed <- err
		case <-e.stopped:
		}
	}()
	return nil
}

func (e *Emulator) open(host string) error {
	var err error
	e.host = host
	if e.files, err = openFolders(e.options.Dir); err != nil {
		return err
	}
	if e.configs, err = openConfigs(e.files.configs); err != nil {
		return err
	}
	e.fake, err = fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:  true,
		StorageRoot: e.files.objects,
		Scheme:      "http",
		PublicHost:  host,
		ExternalURL: "http://" + host,
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", e.files.objects, err)
	}
	e.outbox = newOutbox(e.options.Publish, e.log)
	if err := e.mend(); err != nil {
		return err
	}
	if e.sessions, err = openSessions(e.files.sessions, e.options.Now()); err != nil {
		return err
	}
	return e.settle()
}

// Health lists the buckets, as a client would.
func (e *Emulator) Health(ctx context.Context) error {
	if e.server == nil {
		return errors.New("gcs: not started")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL()+"/storage/v1/b?project=health", nil)
	if err != nil {
		return fmt.Errorf("gcs: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+e.options.Bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("gcs: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("gcs: listing buckets answers %s", resp.Status)
	}
	return nil
}

// Stop ends the server, then gives unsent notifications a last moment.
func (e *Emulator) Stop(ctx context.Context) error {
	if e.server == nil {
		return nil
	}
	var err error
	e.once.Do(func() {
		close(e.stopped)
		err = e.server.Stop(ctx)
		e.sessions.close()
		e.outbox.stop(ctx)
		e.fake.Stop()
		if e.options.Dir == "" {
			err = errors.Join(err, os.RemoveAll(e.files.root))
		}
	})
	return err
}

// Failed delivers one error when the server ends without Stop.
func (e *Emulator) Failed() <-chan error { return e.failed }

// Host is host:port, the value of STORAGE_EMULATOR_HOST; empty before Start.
func (e *Emulator) Host() string {
	return e.host
}

// URL is the base of every API, without a trailing slash.
func (e *Emulator) URL() string { return "http://" + e.Host() }
