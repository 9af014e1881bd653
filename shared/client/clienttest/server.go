// Package clienttest plays the servers that a client of Segue meets, with the
// faults that tests ask for: the operations of Segue itself, Cloud Storage's
// resumable sessions, and a CDN. The real ones are met in emulators/e2e; they
// cannot be told to fail at a chosen byte.
package clienttest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
)

// Upload is an announced upload and what has come of its file.
type Upload struct {
	client.Announcement
	ID string
	// Held is what storage has; the object exists once Complete.
	Held     []byte
	Complete bool
	Gone     bool
	asked    int
}

// Server is Segue, its storage and its CDN on one address. Its fields are set
// before the first request or under Do.
type Server struct {
	*httptest.Server
	// NoSessions refuses resumable uploads, with a 400.
	NoSessions bool
	// Refused is a file name that no upload may have.
	Refused string
	// Cuts are offsets of an upload's file at which the connection breaks, once
	// each, in rising order.
	Cuts []int64
	// Before may answer a request itself: it returns true when it did.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// End is how the upload of a file name ends; playable if not said.
	End map[string]client.Status
	// Tracks by id.
	Tracks map[string]*Track

	mu       sync.Mutex
	uploads  []*Upload
	requests []string
}

// New starts a server for a test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{End: map[string]client.Status{}, Tracks: map[string]*Track{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/uploads", s.announce)
	mux.HandleFunc("GET /v1/uploads/{id}", s.status)
	mux.HandleFunc("PUT /session/{id}", s.session)
	mux.HandleFunc("PUT /object/{id}", s.object)
	mux.HandleFunc("GET /v1/tracks/{id}/stream", s.stream)
	mux.HandleFunc("GET /cdn/{id}/{object}", s.cdn)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var before func(http.ResponseWriter, *http.Request) bool
		s.Do(func() { s.requests, before = append(s.requests, r.Method+" "+r.URL.Path), s.Before })
		if before == nil || !before(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// Do runs f while no request changes anything.
func (s *Server) Do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Uploads lists copies of what was announced, in order.
func (s *Server) Uploads() (all []Upload) {
	s.Do(func() {
		for _, u := range s.uploads {
			all = append(all, *u)
		}
	})
	return all
}

// Count is how many requests began with a method and a path.
func (s *Server) Count(prefix string) (n int) {
	s.Do(func() {
		for _, r := range s.requests {
			if strings.HasPrefix(r, prefix) {
				n++
			}
		}
	})
	return n
}

// Upload finds an upload; Do must be held.
func (s *Server) Upload(id string) *Upload {
	for _, u := range s.uploads {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (s *Server) announce(w http.ResponseWriter, r *http.Request) {
	var a client.Announcement
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &a) != nil {
		Refuse(w, http.StatusBadRequest, "malformed JSON", "")
		return
	}
	if a.Resumable && s.NoSessions {
		Refuse(w, http.StatusBadRequest, "resumable uploads are not offered", "")
		return
	}
	if a.Filename == s.Refused {
		Refuse(w, http.StatusBadRequest, "too many", "")
		return
	}
	u := &Upload{Announcement: a, ID: id.Random()}
	s.Do(func() { s.uploads = append(s.uploads, u) })
	t := client.Target{ID: u.ID, Method: http.MethodPut, Headers: map[string]string{"Content-Type": a.ContentType}, Resumable: a.Resumable}
	t.URL = s.URL + "/object/" + u.ID
	if a.Resumable {
		t.URL = s.URL + "/session/" + u.ID
	}
	answer(w, http.StatusCreated, t)
}

// status goes on by one step at each question, once the file is there.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	var st client.Status
	s.Do(func() {
		u := s.Upload(r.PathValue("id"))
		if u == nil {
			return
		}
		st = client.Status{ID: u.ID, Status: ingest.Waiting}
		if !u.Complete {
			return
		}
		switch u.asked++; u.asked {
		case 1:
		case 2:
			st.Status, st.Progress = ingest.Processing, 0.5
		default:
			st = s.End[u.Filename]
			if st.Status == "" {
				st = client.Status{Status: ingest.Playable, TrackID: "track-of-" + u.Filename, Progress: 1}
				if strings.HasPrefix(u.ContentType, "image/") {
					st = client.Status{Status: ingest.Stored, ImageID: "image-of-" + u.Filename, Progress: 1}
				}
			}
			st.ID = u.ID
		}
	})
	if st.ID == "" {
		Refuse(w, http.StatusNotFound, "there is no upload "+r.PathValue("id"), "")
		return
	}
	answer(w, http.StatusOK, st)
}

// Refuse answers with the Web API's error object.
func Refuse(w http.ResponseWriter, status int, message, reason string) {
	answer(w, status, map[string]client.Error{"error": {Status: status, Message: message, Reason: reason}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone
}
