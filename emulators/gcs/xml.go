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
	if query.Has("upload_id") {
		return e.serveSession(w, r, apiXML, bucket, object)
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
	case r.Header.Get("X-Goog-Resumable") != "":
		return e.beginXML(w, r, bucket, object, query, cond)
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
	if err := refuseOtherUploads(r, query); err != nil {
		return err
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
	attrs := headerDocument(object, r.Header).attrs(bucket)
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
	stored, err := e.commit(attrs, body, cond, nil)
	if err != nil {
		return err
	}
	writeStored(w, stored)
	return nil
}

// writeStored is the XML API's answer to an upload.
func writeStored(w http.ResponseWriter, stored fakestorage.ObjectAttrs) {
	setIdentity(w.Header(), stored)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// refuseOtherUploads refuses a parameter or header that makes an upload mean
// something else (an ACL, a part, a copy): it must not end as an object's
// content.
func refuseOtherUploads(r *http.Request, query url.Values) error {
	query.Del("userProject")
	for name := range query {
		return notEmulated(r.Method + " with the parameter " + name)
	}
	for _, name := range []string{"X-Goog-Copy-Source", "X-Goog-Encryption-Algorithm", "X-Goog-Acl"} {
		if r.Header.Get(name) != "" {
			return notEmulated(r.Method + " with the header " + strings.ToLower(name))
		}
	}
	return nil
}

// headerDocument is the object that the XML API's headers describe.
func headerDocument(object string, h http.Header) uploadDocument {
	return uploadDocument{
		Name:               object,
		ContentType:        h.Get("Content-Type"),
		ContentEncoding:    h.Get("Content-Encoding"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentLanguage:    h.Get("Content-Language"),
		CacheControl:       h.Get("Cache-Control"),
		StorageClass:       h.Get("X-Goog-Storage-Class"),
		Metadata:           headerMetadata(h),
	}
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
