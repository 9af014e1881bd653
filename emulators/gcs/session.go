package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The states of a session. One that is committing is open again, or done, when
// the commit or the next Start has settled it.
const (
	stateOpen       = "open"
	stateCommitting = "committing"
	stateDone       = "done"
	stateCancelled  = "cancelled"
	stateFailed     = "failed"
)

const (
	apiJSON = "JSON"
	apiXML  = "XML"
)

// statusCancelled is Cloud Storage's answer to a cancelled session.
const statusCancelled = 499

// document is what is known of a session but its bytes.
type document struct {
	ID          string         `json:"id"`
	API         string         `json:"api"`
	Bucket      string         `json:"bucket"`
	Object      uploadDocument `json:"object"`
	Conditions  conditions     `json:"conditions"`
	LengthRange string         `json:"lengthRange,omitempty"`
	Total       int64          `json:"total"` // unknown until it is said
	Started     time.Time      `json:"started"`
	State       string         `json:"state"`
	Replaces    int64          `json:"replaces,omitempty"` // the live generation when the commit began
	Stored      *resource      `json:"stored,omitempty"`
	Failure     string         `json:"failure,omitempty"`
}

// session is one resumable upload.
type session struct {
	path string // of its files, without their extensions
	// turn is held by the one request that brings bytes or commits.
	turn     chan struct{}
	progress atomic.Int64

	mu     sync.Mutex
	doc    document
	held   int64
	closed bool
	// interrupt ends the body that the holder of the turn reads.
	interrupt func()
}

func newSession(path string) *session {
	return &session{path: path, turn: make(chan struct{}, 1), interrupt: func() {}}
}

// take waits for the turn. A holder whose body brings nothing is interrupted,
// so that a client that lost its connection can go on by another one.
func (s *session) take(ctx context.Context, patience time.Duration, interrupt func()) (release func(), err error) {
	for {
		seen := s.progress.Load()
		timer := time.NewTimer(patience)
		select {
		case s.turn <- struct{}{}:
			timer.Stop()
			s.setInterrupt(interrupt)
			return sync.OnceFunc(func() {
				s.setInterrupt(func() {})
				<-s.turn
			}), nil
		case <-ctx.Done():
			timer.Stop()
			return nil, unavailable("another request is sending to this session")
		case <-timer.C:
			if s.progress.Load() == seen {
				s.stop()
			}
		}
	}
}

func unavailable(detail string) *refusal {
	return refuse(http.StatusServiceUnavailable, "ServiceUnavailable", "backendError", "Service unavailable.", detail)
}

func (s *session) setInterrupt(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = f
}

func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt()
}

// now is the document and the number of bytes held.
func (s *session) now() (document, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc, s.held
}

// change edits the document, on disk first.
func (s *session) change(edit func(*document)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return unavailable("stopped")
	}
	next := s.doc
	edit(&next)
	if err := s.save(next); err != nil {
		return err
	}
	s.doc = next
	return nil
}

func (s *session) save(doc document) error {
	data, err := json.Marshal(doc)
	if err == nil {
		err = os.WriteFile(s.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path+".json")
	}
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

func (d document) needsBytes() bool {
	return d.State == stateOpen || d.State == stateCommitting
}

func (d document) expired(now time.Time, life time.Duration) bool {
	return now.Sub(d.Started) > life
}

// drop removes the bytes.
func (s *session) drop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = 0
	return removeFile(s.path + ".data")
}

// forget removes all of it, the document last.
func (s *session) forget() error {
	return errors.Join(s.drop(), removeFile(s.path+".json"))
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}
