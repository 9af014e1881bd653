package gcs

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// uploadDocument is the part of the object resource an upload may set.
type uploadDocument struct {
	Name               string            `json:"name"`
	ContentType        string            `json:"contentType"`
	ContentEncoding    string            `json:"contentEncoding"`
	ContentDisposition string            `json:"contentDisposition"`
	ContentLanguage    string            `json:"contentLanguage"`
	CacheControl       string            `json:"cacheControl"`
	StorageClass       string            `json:"storageClass"`
	CustomTime         time.Time         `json:"customTime,omitzero"`
	Metadata           map[string]string `json:"metadata"`
	MD5                string            `json:"md5Hash"`
	CRC32C             string            `json:"crc32c"`
}

// serveUpload serves /upload/storage/v1/b/BUCKET/o: the whole object in one
// request, with its resource (multipart) or without (media), or the beginning
// of a resumable session.
func (e *Emulator) serveUpload(w http.ResponseWriter, r *http.Request, parts []string) error {
	query := r.URL.Query()
	kind := query.Get("uploadType")
	if r.Header.Get("X-Goog-Upload-Protocol") != "" {
		return notEmulated("the protocol X-Goog-Upload-Protocol: use uploadType=resumable")
	}
	if len(parts) != 3 || parts[0] != "b" || parts[2] != "o" || r.Method != http.MethodPost {
		return notEmulated(r.Method + " " + r.URL.Path)
	}
	if query.Has("predefinedAcl") {
		return invalidArgument("predefinedAcl: buckets have uniform bucket-level access")
	}
	if kind == "resumable" {
		return e.beginJSON(w, r, parts[1], query)
	}
	var doc uploadDocument
	media, closeMedia, err := openMedia(r, kind, &doc)
	if err != nil {
		return err
	}
	doc.override(query)
	cond, err := queryConditions(query, "if")
	if err != nil {
		return err
	}
	attrs := doc.attrs(parts[1])
	if err := e.admits(attrs, cond); err != nil {
		return err
	}
	body, err := spool(e.files.spool, media, sizes{max: -1})
	if err != nil {
		return err
	}
	defer e.discard(body)
	if err := closeMedia(); err != nil {
		return err
	}
	if err := matchDigests([][2]string{{doc.MD5, body.md5}, {doc.CRC32C, body.crc32c}}); err != nil {
		return err
	}
	if err := body.checkDigests(r.Header); err != nil {
		return err
	}
	stored, err := e.commit(attrs, body, cond, nil)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, e.resource(stored))
}

// override takes what the query says before what the body says.
func (d *uploadDocument) override(query url.Values) {
	if name := query.Get("name"); name != "" {
		d.Name = name
	}
	if encoding := query.Get("contentEncoding"); encoding != "" {
		d.ContentEncoding = encoding
	}
}

func (d uploadDocument) attrs(bucket string) fakestorage.ObjectAttrs {
	return fakestorage.ObjectAttrs{
		BucketName: bucket, Name: d.Name,
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		ContentDisposition: d.ContentDisposition, ContentLanguage: d.ContentLanguage,
		CacheControl: d.CacheControl, StorageClass: d.StorageClass,
		CustomTime: d.CustomTime, Metadata: d.Metadata,
	}
}

// openMedia finds the content and reads the resource before it. closeMedia
// tells, when the content is read, whether the body was whole.
func openMedia(r *http.Request, kind string, doc *uploadDocument) (media io.Reader, closeMedia func() error, err error) {
	switch kind {
	case "media":
		doc.ContentType = r.Header.Get("Content-Type")
		return r.Body, func() error { return nil }, nil
	case "multipart":
	default:
		return nil, nil, invalidArgument("uploadType must be media, multipart or resumable, not " + kind)
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, nil, invalidArgument("a multipart upload needs a Content-Type with a boundary")
	}
	reader := multipart.NewReader(r.Body, params["boundary"])
	first, err := reader.NextRawPart()
	if err != nil {
		return nil, nil, invalidArgument("multipart: " + err.Error())
	}
	if err := readDocument(first, doc); err != nil {
		return nil, nil, err
	}
	content, err := reader.NextRawPart()
	if err != nil {
		return nil, nil, invalidArgument("multipart: the content is missing: " + err.Error())
	}
	if doc.ContentType == "" {
		doc.ContentType = content.Header.Get("Content-Type")
	}
	return content, func() error {
		if _, err := reader.NextRawPart(); !errors.Is(err, io.EOF) {
			return invalidArgument("multipart: the body does not end after two parts")
		}
		return nil
	}, nil
}
