package gcs

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// serve authenticates a request and hands it to the API its path belongs to.
func (e *Emulator) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case strings.HasPrefix(path, "/storage/v1/"):
		e.answerJSON(w, r, strings.TrimPrefix(path, "/storage/v1"), e.serveJSON)
	case strings.HasPrefix(path, "/download/storage/v1/"):
		e.answerJSON(w, r, strings.TrimPrefix(path, "/download/storage/v1"), e.serveDownload)
	case strings.HasPrefix(path, "/upload/storage/v1/") && r.URL.Query().Has("upload_id"):
		if !allowBrowser(w, r) {
			e.answerSession(w, r, strings.TrimPrefix(path, "/upload/storage/v1"))
		}
	case strings.HasPrefix(path, "/upload/storage/v1/"):
		e.answerJSON(w, r, strings.TrimPrefix(path, "/upload/storage/v1"), e.serveUpload)
	case strings.HasPrefix(path, "/resumable/upload/"), strings.HasPrefix(path, "/batch/"):
		e.fail(w, r, false, notEmulated(path))
	default:
		if err := e.answerXML(w, r); err != nil {
			e.fail(w, r, true, err)
		}
	}
}

func (e *Emulator) answerJSON(w http.ResponseWriter, r *http.Request, path string, api func(http.ResponseWriter, *http.Request, []string) error) {
	err := e.checkBearer(r)
	if err == nil {
		var parts []string
		if parts, err = segments(path); err == nil {
			err = api(w, r, parts)
		}
	}
	if err != nil {
		e.fail(w, r, false, err)
	}
}

// answerSession serves a session of the JSON API: whoever knows its address
// may use it.
func (e *Emulator) answerSession(w http.ResponseWriter, r *http.Request, path string) {
	parts, err := segments(path)
	if err == nil {
		if len(parts) == 3 && parts[0] == "b" && parts[2] == "o" {
			err = e.serveSession(w, r, apiJSON, parts[1], "")
		} else {
			err = notEmulated(r.Method + " " + r.URL.Path)
		}
	}
	if err != nil {
		e.fail(w, r, false, err)
	}
}

func (e *Emulator) answerXML(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	signed, session := isSigned(query), query.Has("upload_id")
	if (signed || session) && allowBrowser(w, r) {
		return nil
	}
	if signed {
		if err := verify(r, e.options.Signers, e.options.Now()); err != nil {
			return err
		}
		for name := range query {
			if strings.HasPrefix(strings.ToLower(name), "x-goog-") {
				query.Del(name)
			}
		}
	} else if session {
		// The session's address is all that its requests need.
	} else if r.Header.Get("Authorization") == "" {
		return accessDenied("Anonymous caller does not have access to the Google Cloud Storage object.")
	} else if err := e.checkBearer(r); err != nil {
		return err
	}
	return e.serveXML(w, r, query)
}

// checkBearer admits what carries the run's token.
func (e *Emulator) checkBearer(r *http.Request) error {
	got := r.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(got), []byte("Bearer "+e.options.Bearer)) == 1 {
		return nil
	}
	if got == "" {
		return refuse(http.StatusUnauthorized, "AuthenticationRequired", "required", "Authentication required.", "Anonymous caller does not have access to the bucket.")
	}
	return refuse(http.StatusUnauthorized, "AuthenticationRequired", "authError", "Invalid Credentials", "")
}

// allowBrowser lets pages of any origin use signed URLs, as the buckets' CORS
// configuration does in production. It reports whether r was only a preflight.
func allowBrowser(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Origin") == "" {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, Content-Type, ETag, Location, Range, X-Goog-Generation, X-Goog-Hash")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE")
	h.Set("Access-Control-Max-Age", "3600")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	w.WriteHeader(http.StatusOK)
	return true
}
