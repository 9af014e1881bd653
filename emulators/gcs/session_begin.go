package gcs

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// beginXML answers a POST with x-goog-resumable: start. What is signed with it
// (type, length range, preconditions) binds the session.
func (e *Emulator) beginXML(w http.ResponseWriter, r *http.Request, bucket, object string, query url.Values, cond conditions) error {
	if r.Method != http.MethodPost || r.Header.Get("X-Goog-Resumable") != "start" {
		return invalidArgument("x-goog-resumable is start, on a POST: " + r.Method + " with " + r.Header.Get("X-Goog-Resumable"))
	}
	if err := refuseOtherUploads(r, query); err != nil {
		return err
	}
	if r.Header.Get("X-Goog-Hash") != "" {
		return notEmulated("x-goog-hash when a session begins: send it with the last bytes")
	}
	if n, err := io.CopyN(io.Discard, r.Body, 1); n != 0 || !errors.Is(err, io.EOF) {
		return invalidArgument("the request that begins a session has no body: send the object to the session's address")
	}
	doc := document{
		API: apiXML, Bucket: bucket, Object: headerDocument(object, r.Header), Conditions: cond,
		LengthRange: r.Header.Get("X-Goog-Content-Length-Range"),
	}
	location := &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}
	return e.begin(w, r, doc, http.StatusCreated, location, url.Values{})
}

// beginJSON answers a POST with uploadType=resumable.
func (e *Emulator) beginJSON(w http.ResponseWriter, r *http.Request, bucket string, query url.Values) error {
	var object uploadDocument
	if r.ContentLength != 0 {
		if err := readDocument(r.Body, &object); err != nil {
			return err
		}
	}
	object.override(query)
	if object.ContentType == "" {
		object.ContentType = r.Header.Get("X-Upload-Content-Type")
	}
	cond, err := queryConditions(query, "if")
	if err != nil {
		return err
	}
	doc := document{API: apiJSON, Bucket: bucket, Object: object, Conditions: cond}
	location := &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}
	return e.begin(w, r, doc, http.StatusOK, location, url.Values{"uploadType": {"resumable"}, "name": {object.Name}})
}

// begin checks all that can be checked before the first byte, and answers with
// the address of a new session.
func (e *Emulator) begin(w http.ResponseWriter, r *http.Request, doc document, status int, location *url.URL, query url.Values) error {
	allowed, err := parseSizes(doc.LengthRange)
	if err != nil {
		return err
	}
	doc.Total = unknown
	if declared := r.Header.Get("X-Upload-Content-Length"); declared != "" {
		n, err := strconv.ParseUint(declared, 10, 62)
		if err != nil {
			return invalidArgument("X-Upload-Content-Length is not a number of bytes: " + declared)
		}
		if doc.Total = int64(n); allowed.check(doc.Total) != nil {
			return allowed.check(doc.Total)
		}
	}
	if err := e.admits(doc.Object.attrs(doc.Bucket), doc.Conditions); err != nil {
		return err
	}
	doc.Started = e.options.Now()
	s, err := e.sessions.add(doc)
	if err != nil {
		return err
	}
	// The client comes back by the way it came.
	location.Scheme, location.Host = "http", r.Host
	query.Set("upload_id", s.doc.ID)
	location.RawQuery = query.Encode()
	h := w.Header()
	h.Set("Location", location.String())
	h.Set("X-Guploader-Uploadid", s.doc.ID)
	h.Set("Content-Length", "0")
	w.WriteHeader(status)
	return nil
}
