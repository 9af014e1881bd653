package gcs

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	sessionLife = 7 * 24 * time.Hour
	// sessionMemory is how long an expired session is told from an unknown one.
	sessionMemory = 2 * sessionLife
	// patience is how long a request to a session waits for another one whose
	// body brings nothing, as of a client that is gone without a word.
	patience = 5 * time.Second
)

// sessions are the resumable uploads by id. Each is a document and, while it is
// open, a file of the bytes that it holds, so that the next run has both.
type sessions struct {
	dir      string
	patience time.Duration

	mu  sync.Mutex
	all map[string]*session
}

func openSessions(dir string, now time.Time) (*sessions, error) {
	l := &sessions{dir: dir, patience: patience, all: map[string]*session{}}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	for _, f := range files {
		id, isDocument := strings.CutSuffix(f.Name(), ".json")
		if !isDocument {
			continue
		}
		s := newSession(filepath.Join(dir, id))
		data, err := os.ReadFile(s.path + ".json")
		if err == nil {
			err = json.Unmarshal(data, &s.doc)
		}
		if err != nil {
			return nil, fmt.Errorf("session %s: %w", s.path+".json", err)
		}
		if info, err := os.Stat(s.path + ".data"); err == nil {
			s.held = info.Size()
		}
		l.all[id] = s
	}
	// A document that was being replaced, or bytes that no document speaks of,
	// were left by a run that was killed.
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if s := l.all[id]; s == nil || strings.HasSuffix(f.Name(), ".new") || strings.HasSuffix(f.Name(), ".data") && !s.doc.needsBytes() {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return nil, fmt.Errorf("mend sessions: %w", err)
			}
		}
	}
	return l, l.sweep(now)
}

// add begins a session. Nothing of it exists before its document does, and
// nobody knows of it before the answer.
func (l *sessions) add(doc document) (*session, error) {
	if err := l.sweep(doc.Started); err != nil {
		return nil, err
	}
	doc.ID, doc.State = rand.Text(), stateOpen
	s := newSession(filepath.Join(l.dir, doc.ID))
	s.doc = doc
	if err := s.save(doc); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[doc.ID] = s
	return s, nil
}

// find gives the session of an address that leads to it.
func (l *sessions) find(id, api, bucket, object string, now time.Time) (*session, error) {
	l.mu.Lock()
	s := l.all[id]
	l.mu.Unlock()
	unknown := refuse(http.StatusNotFound, "NoSuchUpload", "notFound", "The specified upload session does not exist.", "")
	if s == nil {
		return nil, unknown
	}
	doc, _ := s.now()
	if doc.API != api || doc.Bucket != bucket || api == apiXML && doc.Object.Name != object {
		return nil, unknown
	}
	if doc.expired(now, sessionLife) {
		return nil, refuse(http.StatusGone, "UploadExpired", "gone", "The upload session has expired.", "begin another one")
	}
	return s, nil
}

// sweep drops the bytes of sessions that have expired and, later, forgets them.
func (l *sessions) sweep(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for id, s := range l.all {
		doc, _ := s.now()
		if doc.expired(now, sessionMemory) {
			err = errors.Join(err, s.forget())
			delete(l.all, id)
		} else if doc.expired(now, sessionLife) {
			err = errors.Join(err, s.drop())
		}
	}
	return err
}

// close leaves the files to the next run: nothing writes to them any more.
func (l *sessions) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
}
