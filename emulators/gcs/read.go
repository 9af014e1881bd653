package gcs

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// lookup is the live object's attributes.
func (e *Emulator) lookup(bucket, object string) (fakestorage.ObjectAttrs, bool) {
	o, err := e.fake.GetObjectStreaming(bucket, object)
	return o.ObjectAttrs, err == nil
}

func (e *Emulator) bucketExists(bucket string) bool {
	if !bucketPattern.MatchString(bucket) {
		return false
	}
	_, err := e.fake.Backend().GetBucket(bucket)
	return err == nil
}

// pass hands the request to the fake under its own address, with another path
// and query.
func (e *Emulator) pass(w http.ResponseWriter, r *http.Request, path string, query url.Values) {
	in := r.Clone(r.Context())
	in.Host = e.Host()
	// The fake answers browsers by rules of its own.
	in.Header.Del("Origin")
	in.RequestURI = ""
	in.URL = &url.URL{Path: path, RawQuery: query.Encode()}
	if decoded, err := url.PathUnescape(path); err == nil {
		in.URL.Path, in.URL.RawPath = decoded, path
	}
	e.fake.HTTPHandler().ServeHTTP(w, in)
}

// read answers with the object's content or, on the JSON API without
// alt=media, its resource.
func (e *Emulator) read(w http.ResponseWriter, r *http.Request, bucket, object, path string, query url.Values, cond conditions) error {
	if err := checkObject(object); err != nil {
		return noSuchKey(bucket, object)
	}
	// Attributes and content must be of one generation. The fake opens the
	// content before it writes the first byte, so the lock need not last as
	// long as the client takes.
	out := &response{ResponseWriter: w, unlock: sync.OnceFunc(e.locks.read(bucket, object))}
	defer out.unlock()
	attrs, exists := e.lookup(bucket, object)
	if err := cond.check(attrs, exists, true); err != nil {
		return err
	}
	if !exists {
		if !e.bucketExists(bucket) {
			return noSuchBucket(bucket)
		}
		return noSuchKey(bucket, object)
	}
	if g := query.Get("generation"); g != "" && g != strconv.FormatInt(attrs.Generation, 10) {
		return noSuchKey(bucket, object+"#"+g)
	}
	out.attrs = attrs
	e.pass(out, r, path, query)
	return nil
}

// response corrects headers in which the fake differs from Cloud Storage.
type response struct {
	http.ResponseWriter
	attrs  fakestorage.ObjectAttrs
	unlock func()
}

func (w *response) WriteHeader(status int) {
	h := w.Header()
	if h.Get("X-Goog-Generation") != "" {
		setIdentity(h, w.attrs)
		h.Set("Last-Modified", w.attrs.Updated.UTC().Format(http.TimeFormat))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.unlock()
	return w.ResponseWriter.Write(p)
}

// setIdentity writes the headers that say which content this is, as the XML
// API does.
func setIdentity(h http.Header, o fakestorage.ObjectAttrs) {
	h.Set("ETag", etag(o.Md5Hash))
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	h.Set("X-Goog-Metageneration", strconv.Itoa(metageneration))
	h["X-Goog-Hash"] = []string{"crc32c=" + o.Crc32c, "md5=" + o.Md5Hash}
	h.Set("X-Goog-Stored-Content-Length", strconv.FormatInt(o.Size, 10))
	encoding := o.ContentEncoding
	if encoding == "" {
		encoding = "identity"
	}
	h.Set("X-Goog-Stored-Content-Encoding", encoding)
}

// etag is the quoted MD5 in hexadecimal, what the XML API gives.
func etag(md5 string) string {
	sum, err := base64.StdEncoding.DecodeString(md5)
	if err != nil {
		return strconv.Quote(md5)
	}
	return strconv.Quote(hex.EncodeToString(sum))
}
