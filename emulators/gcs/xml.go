package gcs

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// serveXML serves the XML API to a request that is already admitted; query
// carries no signature any more.
func (e *Emulator) serveXML(w http.ResponseWriter, r *http.Request, query url.Values) error {
	bucket, object, err := xmlPath(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	if r.Header.Get("X-Goog-Resumable") != "" || query.Has("upload_id") {
		return notEmulated("resumable uploads: send the object in one request")
	}
	if !bucketPattern.MatchString(bucket) {
		return noSuchBucket(bucket)
	}
	cond, err := headerConditions(r.Header)
	if err != nil {
		return err
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case object == "" && r.Method == http.MethodGet && e.bucketExists(bucket):
		e.pass(w, r, "/"+bucket, query)
		return nil
	case object == "" && reads:
		return noSuchBucket(bucket)
	case object == "":
		return methodNotAllowed(r.Method)
	case reads:
		return e.read(w, r, bucket, object, "/"+bucket+"/"+url.PathEscape(object), query, cond)
	case r.Method == http.MethodPut:
		return e.put(w, r, bucket, object, query, cond)
	case r.Method == http.MethodDelete:
		if err := e.remove(bucket, object, "", cond); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return methodNotAllowed(r.Method)
}

// put stores the body as an object.
func (e *Emulator) put(w http.ResponseWriter, r *http.Request, bucket, object string, query url.Values, cond conditions) error {
	query.Del("userProject")
	// A parameter or header that makes the request mean something else (an
	// ACL, a part, a copy) must not end as an object's content.
	for name := range query {
		return notEmulated("PUT with the parameter " + name)
	}
	for _, name := range []string{"X-Goog-Copy-Source", "X-Goog-Encryption-Algorithm", "X-Goog-Acl"} {
		if r.Header.Get(name) != "" {
			return notEmulated("PUT with the header " + strings.ToLower(name))
		}
	}
	if r.ContentLength < 0 {
		return refuse(http.StatusLengthRequired, "MissingContentLength", "required", "You must provide the Content-Length HTTP header.", "")
	}
	allowed, err := parseSizes(r.Header.Get("X-Goog-Content-Length-Range"))
	if err != nil {
		return err
	}
	if err := allowed.check(r.ContentLength); err != nil {
		return err
	}
	attrs := fakestorage.ObjectAttrs{
		BucketName: bucket, Name: object,
		ContentType:        r.Header.Get("Content-Type"),
		ContentEncoding:    r.Header.Get("Content-Encoding"),
		ContentDisposition: r.Header.Get("Content-Disposition"),
		ContentLanguage:    r.Header.Get("Content-Language"),
		CacheControl:       r.Header.Get("Cache-Control"),
		StorageClass:       r.Header.Get("X-Goog-Storage-Class"),
		Metadata:           headerMetadata(r.Header),
	}
	// Told before its body is read, a client need not send it.
	if err := e.admits(attrs, cond); err != nil {
		return err
	}
	body, err := spool(e.files.spool, r.Body, allowed)
	if err != nil {
		return err
	}
	defer e.discard(body)
	if err := body.checkDigests(r.Header); err != nil {
		return err
	}
	stored, err := e.commit(attrs, body, cond)
	if err != nil {
		return err
	}
	setIdentity(w.Header(), stored)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func headerMetadata(h http.Header) map[string]string {
	metadata := map[string]string{}
	for name, values := range h {
		if key, ok := strings.CutPrefix(strings.ToLower(name), "x-goog-meta-"); ok {
			metadata[key] = strings.Join(values, ",")
		}
	}
	return metadata
}
