package upload

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/telemetry"
)

// Deps are what the operations work with.
type Deps struct {
	Spanner *spanner.Client
	Bucket  *storage.BucketHandle
	Signer  gcp.SignerConfig
	Images  string       // the public address of the images bucket
	HTTP    *http.Client // calls Cloud Storage with signed URLs
	Now     func() time.Time
	NewID   id.Source
}

// How long an upload URL takes the file: a plain one has begun by then, a
// session, which Cloud Storage keeps for a week, is complete.
const (
	urlTTL     = time.Hour
	sessionTTL = 7 * 24 * time.Hour
)

// CreateRequest announces a file.
type CreateRequest struct {
	Filename       string          `json:"filename"`
	ContentType    string          `json:"content_type"`
	Size           *int64          `json:"size"`
	AllowDuplicate bool            `json:"allow_duplicate"`
	Resumable      bool            `json:"resumable"`
	Metadata       ingest.Metadata `json:"metadata"`
}

// Validate asks for what has no default.
func (r *CreateRequest) Validate() error {
	if r.Size == nil {
		return errs.New(errs.Invalid, "size is missing: the file's length in bytes")
	}
	return nil
}

// CreateResponse is the URL that takes the file, once: in one request with
// exactly this method and these headers or, where it is resumable, in as many as
// Cloud Storage's protocol of resumable uploads needs.
type CreateResponse struct {
	ID        string            `json:"id"`
	UploadURL string            `json:"upload_url"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
	Resumable bool              `json:"resumable,omitempty"`
}

// Create records the upload, then signs its URL or begins its session: die in
// between, or with the session begun and not answered, and an upload waits for
// bytes that never come, at an address that nobody knows.
func Create(ctx context.Context, r CreateRequest, d Deps) (CreateResponse, error) {
	upload, ttl := d.NewID(), urlTTL
	if r.Resumable {
		ttl = sessionTTL
	}
	u := ingest.Upload{
		ID: upload, LabelID: httpapi.CallerOf(ctx).Subject, Object: ingest.Prefix + upload,
		Filename: r.Filename, ContentType: r.ContentType, Size: *r.Size, AllowDuplicate: r.AllowDuplicate, Metadata: r.Metadata,
		ExpiresAt: d.Now().Add(ttl).UTC().Truncate(time.Second),
		// The file goes to storage, which passes no trace on.
		Trace: telemetry.Traceparent(ctx),
	}
	if err := u.Check(); err != nil {
		return CreateResponse{}, errs.New(errs.Invalid, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if err := d.checkCover(ctx, u); err != nil {
		return CreateResponse{}, err
	}
	row, err := u.Insert()
	if err != nil {
		return CreateResponse{}, err
	}
	if _, err := d.Spanner.Apply(ctx, []*spanner.Mutation{row}); err != nil {
		return CreateResponse{}, fmt.Errorf("record upload: %w", err)
	}
	crash.Point("upload:recorded")
	answer := CreateResponse{ID: u.ID, Method: http.MethodPut, ExpiresAt: u.ExpiresAt, Resumable: r.Resumable}
	if r.Resumable {
		answer.Headers = map[string]string{"Content-Type": u.ContentType}
		answer.UploadURL, err = beginSession(ctx, d, u)
	} else {
		answer.UploadURL, answer.Headers, err = sign(d, u, http.MethodPut, u.ExpiresAt)
	}
	if err != nil {
		return CreateResponse{}, err
	}
	crash.Point("upload:addressed")
	return answer, nil
}

// checkCover refuses a cover that is not there yet, or never will be: a track
// that is accepted finds its cover stored. Others' uploads are not revealed.
func (d Deps) checkCover(ctx context.Context, u ingest.Upload) error {
	if u.Metadata.Cover == "" {
		return nil
	}
	cover, err := ingest.Read(ctx, d.Spanner.Single(), u.Metadata.Cover)
	if errs.CodeOf(err) == errs.NotFound || (err == nil && cover.LabelID != u.LabelID) {
		return errs.New(errs.Invalid, "metadata.cover: there is no upload %s", u.Metadata.Cover)
	}
	switch {
	case err != nil:
		return err
	case !cover.IsPicture():
		return errs.New(errs.Invalid, "metadata.cover: upload %s is %s, not a picture", cover.ID, cover.ContentType)
	case cover.Status == ingest.Failed:
		return errs.New(errs.Invalid, "metadata.cover: upload %s has failed: %s", cover.ID, cover.Reason)
	case cover.Status != ingest.Stored:
		return errs.New(errs.Invalid, "metadata.cover: upload %s is %s; send the track when it is %s", cover.ID, cover.Status, ingest.Stored)
	}
	return nil
}

// sign makes a URL that is good for one new object of the upload's type and
// length only, and the headers that its request must have.
func sign(d Deps, u ingest.Upload, method string, expires time.Time, more ...string) (signed string, headers map[string]string, err error) {
	lines := append([]string{
		fmt.Sprintf("x-goog-content-length-range:%d,%d", u.Size, u.Size),
		"x-goog-if-generation-match:0",
	}, more...)
	headers = map[string]string{"Content-Type": u.ContentType}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		headers[name] = value
	}
	signed, err = d.Signer.SignURL(d.Bucket, u.Object, storage.SignedURLOptions{
		Method: method, Expires: expires, ContentType: u.ContentType, Headers: lines,
	})
	return signed, headers, err
}
