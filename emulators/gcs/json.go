package gcs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxDocument bounds the JSON bodies of the API.
const maxDocument = 1 << 20

// serveJSON serves /storage/v1. parts are the path's segments: b, the bucket,
// o, the object.
func (e *Emulator) serveJSON(w http.ResponseWriter, r *http.Request, parts []string) error {
	if parts[0] != "b" {
		return notEmulated(r.URL.Path)
	}
	if len(parts) == 1 {
		return e.serveBuckets(w, r)
	}
	bucket := parts[1]
	if !e.bucketExists(bucket) {
		return noSuchBucket(bucket)
	}
	switch {
	case len(parts) == 2:
		return e.serveBucket(w, r, bucket)
	case parts[2] == "notificationConfigs" && len(parts) <= 4:
		return e.serveConfigs(w, r, bucket, parts[3:])
	case parts[2] == "o" && len(parts) == 3 && r.Method == http.MethodGet:
		e.pass(w, r, "/storage/v1/b/"+bucket+"/o", r.URL.Query())
		return nil
	case parts[2] == "o" && len(parts) == 4:
		return e.serveObject(w, r, bucket, parts[3])
	case parts[2] == "o" && len(parts) == 9 && r.Method == http.MethodPost:
		return e.rewrite(w, r, parts)
	}
	return notEmulated(r.Method + " " + r.URL.Path)
}

func (e *Emulator) serveBuckets(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet {
		e.pass(w, r, "/storage/v1/b", r.URL.Query())
		return nil
	}
	if r.Method != http.MethodPost {
		return methodNotAllowed(r.Method)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDocument))
	if err != nil {
		return invalidArgument(err.Error())
	}
	var bucket struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &bucket); err != nil {
		return invalidArgument(err.Error())
	}
	if !bucketPattern.MatchString(bucket.Name) {
		return invalidArgument("invalid bucket name: " + bucket.Name)
	}
	// Two creations of one bucket at once: one must be told it exists.
	defer e.locks.write(bucket.Name, "")()
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	e.pass(w, r, "/storage/v1/b", r.URL.Query())
	return nil
}

func (e *Emulator) serveBucket(w http.ResponseWriter, r *http.Request, bucket string) error {
	switch r.Method {
	case http.MethodGet, http.MethodPatch:
		e.pass(w, r, "/storage/v1/b/"+bucket, r.URL.Query())
		return nil
	case http.MethodDelete:
		if err := e.fake.Backend().DeleteBucket(bucket); err != nil {
			return refuse(http.StatusConflict, "BucketNotEmpty", "conflict", "The bucket you tried to delete is not empty.", err.Error())
		}
		if err := e.configs.removeBucket(bucket); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return methodNotAllowed(r.Method)
}

func (e *Emulator) serveObject(w http.ResponseWriter, r *http.Request, bucket, object string) error {
	query := r.URL.Query()
	cond, err := queryConditions(query, "if")
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return e.read(w, r, bucket, object, "/storage/v1/b/"+bucket+"/o/"+url.PathEscape(object), query, cond)
	case http.MethodDelete:
		if err := e.remove(bucket, object, query.Get("generation"), cond); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	// The fake would give the object a new generation, on which events and
	// conditions depend.
	return notEmulated("changing an object's metadata: write it with the object")
}

// serveDownload serves /download/storage/v1, which is alt=media.
func (e *Emulator) serveDownload(w http.ResponseWriter, r *http.Request, parts []string) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if len(parts) != 4 || parts[0] != "b" || parts[2] != "o" || !reads {
		return notEmulated(r.Method + " " + r.URL.Path)
	}
	if !e.bucketExists(parts[1]) {
		return noSuchBucket(parts[1])
	}
	r.URL.RawQuery = withMedia(r.URL.Query())
	return e.serveObject(w, r, parts[1], parts[3])
}

func withMedia(query url.Values) string {
	query.Set("alt", "media")
	return query.Encode()
}

// rewrite copies: b/SRC/o/NAME/rewriteTo/b/DST/o/NAME.
func (e *Emulator) rewrite(w http.ResponseWriter, r *http.Request, parts []string) error {
	if !slices.Contains([]string{"rewriteTo", "copyTo"}, parts[4]) || parts[5] != "b" || parts[7] != "o" {
		return notEmulated(r.Method + " " + r.URL.Path)
	}
	src, from, dst, to := parts[1], parts[3], parts[6], parts[8]
	query := r.URL.Query()
	cond, err := queryConditions(query, "if")
	if err != nil {
		return err
	}
	sourceCond, err := queryConditions(query, "ifSource")
	if err != nil {
		return err
	}
	if err := checkObject(to); err != nil {
		return err
	}
	if !e.bucketExists(dst) {
		return noSuchBucket(dst)
	}
	defer e.locks.writeBoth(src, from, dst, to)()
	source, exists := e.lookup(src, from)
	if checkObject(from) != nil || !exists {
		return noSuchKey(src, from)
	}
	if err := sourceCond.check(source, true, false); err != nil {
		return err
	}
	old, existed := e.lookup(dst, to)
	if err := cond.check(old, existed, false); err != nil {
		return err
	}
	e.pass(w, r, "/storage/v1/b/"+src+"/o/"+url.PathEscape(from)+"/"+parts[4]+"/b/"+dst+"/o/"+url.PathEscape(to), query)
	if stored, ok := e.lookup(dst, to); ok && stored.Generation != old.Generation {
		e.announceWrite(old, existed, stored)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// readDocument decodes a JSON body of the API.
func readDocument(r io.Reader, document any) error {
	if err := json.NewDecoder(io.LimitReader(r, maxDocument)).Decode(document); err != nil {
		return invalidArgument(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
