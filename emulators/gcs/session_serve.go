package gcs

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// serveSession serves a session's address, which is all that is needed to use
// it. Go's client sends its chunks by POST.
func (e *Emulator) serveSession(w http.ResponseWriter, r *http.Request, api, bucket, object string) error {
	s, err := e.sessions.find(r.URL.Query().Get("upload_id"), api, bucket, object, e.options.Now())
	if err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodPut, r.Method == http.MethodPost && api == apiJSON:
		return e.resume(w, r, s)
	case r.Method == http.MethodDelete:
		return e.cancel(w, r, s)
	}
	return methodNotAllowed(r.Method)
}

// resume takes a chunk, or tells what is held.
func (e *Emulator) resume(w http.ResponseWriter, r *http.Request, s *session) error {
	c, err := parseChunk(r.Header.Get("Content-Range"), r.ContentLength)
	if err != nil {
		return err
	}
	doc, held := s.now()
	if c.query && !doc.completedBy(c, held) || doc.State == stateDone {
		return e.answerSessionState(w, r, doc, held)
	}
	release, err := s.take(r.Context(), e.sessions.patience, interrupter(w))
	if err != nil {
		return err
	}
	defer release()
	if doc, held = s.now(); doc.State != stateOpen {
		return e.answerSessionState(w, r, doc, held)
	}
	if !c.query {
		if doc, held, err = e.receive(r, s, c); err != nil {
			return err
		}
	}
	if doc.completedBy(c, held) {
		// From here on it is not the client's pace that counts.
		s.setInterrupt(func() {})
		if err := e.finish(r, s, held); err != nil {
			return err
		}
		doc, held = s.now()
	}
	return e.answerSessionState(w, r, doc, held)
}

// completedBy tells whether the bytes held are the whole object. A question
// that names another length than the session's completes nothing.
func (d document) completedBy(c chunk, held int64) bool {
	total := d.Total
	switch {
	case c.query && total >= 0 && c.total >= 0 && c.total != total:
		return false
	case total < 0:
		total = c.total
	}
	if d.State != stateOpen {
		return false
	}
	return held == total || total < 0 && !c.query && c.last()
}

// answerSessionState tells the object that is stored, or how much of it is held.
func (e *Emulator) answerSessionState(w http.ResponseWriter, r *http.Request, doc document, held int64) error {
	switch doc.State {
	case stateDone:
		// A client that sends everything again reads the answer afterwards.
		_, _ = io.CopyN(io.Discard, r.Body, drainLimit)
		if doc.API == apiXML {
			writeStored(w, doc.Stored.identity())
			return nil
		}
		return writeJSON(w, http.StatusOK, doc.Stored)
	case stateCancelled:
		return cancelled()
	case stateFailed:
		return refuse(http.StatusGone, "UploadFailed", "gone", "The upload session has failed.", doc.Failure)
	}
	h := w.Header()
	if held > 0 {
		h.Set("Range", fmt.Sprintf("bytes=0-%d", held-1))
	}
	h.Set("Content-Length", "0")
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		// For clients to which 308 is a redirection.
		h.Set("X-Http-Status-Code-Override", strconv.Itoa(http.StatusPermanentRedirect))
		w.WriteHeader(http.StatusOK)
		return nil
	}
	w.WriteHeader(http.StatusPermanentRedirect)
	return nil
}

func cancelled() *refusal {
	return refuse(statusCancelled, "ClientClosedRequest", "uploadCancelled", "The upload session was cancelled.", "")
}

// cancel ends a session. A request that is sending to it ends too.
func (e *Emulator) cancel(w http.ResponseWriter, r *http.Request, s *session) error {
	s.stop()
	release, err := s.take(r.Context(), e.sessions.patience, func() {})
	if err != nil {
		return err
	}
	defer release()
	switch doc, held := s.now(); doc.State {
	case stateDone:
		return invalidArgument("the upload is complete: there is nothing to cancel")
	case stateOpen:
		if err := s.change(func(d *document) { d.State = stateCancelled }); err != nil {
			return err
		}
		// Dying here leaves the bytes to the next Start, which removes them.
		if err := s.drop(); err != nil {
			return err
		}
		return cancelled()
	default:
		return e.answerSessionState(w, r, doc, held)
	}
}

// interrupter ends the reading of a request's body.
func interrupter(w http.ResponseWriter) func() {
	c := http.NewResponseController(w)
	return func() { _ = c.SetReadDeadline(time.Unix(1, 0)) }
}

// identity is what the XML API tells of a stored object.
func (r resource) identity() fakestorage.ObjectAttrs {
	generation, _ := strconv.ParseInt(r.Generation, 10, 64)
	size, _ := strconv.ParseInt(r.Size, 10, 64)
	return fakestorage.ObjectAttrs{Md5Hash: r.MD5, Crc32c: r.CRC32C, Generation: generation, Size: size, ContentEncoding: r.ContentEncoding}
}
