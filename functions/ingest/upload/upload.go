package upload

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// Deps are what the operations work with.
type Deps struct {
	Spanner *spanner.Client
	Bucket  *storage.BucketHandle
	Signer  gcp.SignerConfig
	Now     func() time.Time
	NewID   id.Source
}

// urlTTL is how long the upload URL takes to begin with the file.
const urlTTL = time.Hour

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
	switch {
	case r.Size == nil:
		return errs.New(errs.Invalid, "size is missing: the file's length in bytes")
	case r.Resumable:
		return errs.New(errs.Invalid, "resumable uploads are not offered: send the file in one PUT")
	}
	return nil
}

// CreateResponse is the URL that takes the file, once: one request with exactly
// this method and these headers.
type CreateResponse struct {
	ID        string            `json:"id"`
	UploadURL string            `json:"upload_url"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// Create records the upload, then signs its URL: die in between, and an upload
// waits for bytes that never come.
func Create(ctx context.Context, r CreateRequest, d Deps) (CreateResponse, error) {
	upload := d.NewID()
	u := ingest.Upload{
		ID: upload, LabelID: httpapi.CallerOf(ctx).Subject, Object: ingest.Prefix + upload,
		Filename: r.Filename, ContentType: r.ContentType, Size: *r.Size, AllowDuplicate: r.AllowDuplicate, Metadata: r.Metadata,
		ExpiresAt: d.Now().Add(urlTTL).UTC().Truncate(time.Second),
	}
	if err := u.Check(); err != nil {
		return CreateResponse{}, errs.New(errs.Invalid, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	row, err := u.Insert()
	if err != nil {
		return CreateResponse{}, err
	}
	if _, err := d.Spanner.Apply(ctx, []*spanner.Mutation{row}); err != nil {
		return CreateResponse{}, fmt.Errorf("record upload: %w", err)
	}
	// The signature holds for one new object of this type and length only.
	headers := map[string]string{
		"Content-Type":                u.ContentType,
		"x-goog-content-length-range": fmt.Sprintf("%d,%d", u.Size, u.Size),
		"x-goog-if-generation-match":  "0",
	}
	signed, err := d.Signer.SignURL(d.Bucket, u.Object, storage.SignedURLOptions{
		Method: http.MethodPut, Expires: u.ExpiresAt, ContentType: u.ContentType,
		Headers: []string{
			"x-goog-content-length-range:" + headers["x-goog-content-length-range"],
			"x-goog-if-generation-match:0",
		},
	})
	if err != nil {
		return CreateResponse{}, err
	}
	return CreateResponse{ID: u.ID, UploadURL: signed, Method: http.MethodPut, Headers: headers, ExpiresAt: u.ExpiresAt}, nil
}

// GetRequest names an upload.
type GetRequest struct {
	ID string `json:"-" path:"id"`
}

// GetResponse tells where an upload stands.
type GetResponse struct {
	ID          string        `json:"id"`
	Status      ingest.Status `json:"status"`
	Reason      string        `json:"reason,omitempty"`
	TrackID     string        `json:"track_id,omitempty"`
	DuplicateOf string        `json:"duplicate_of,omitempty"`
	Progress    float64       `json:"progress"`
	Filename    string        `json:"filename"`
	ExpiresAt   time.Time     `json:"expires_at"`
}

// Get tells a label of its own upload; anybody else's does not exist for it.
func Get(ctx context.Context, r GetRequest, d Deps) (GetResponse, error) {
	tx := d.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	missing := errs.New(errs.NotFound, "there is no upload %s", r.ID)
	if !id.Valid(r.ID) {
		return GetResponse{}, missing
	}
	u, err := ingest.Read(ctx, tx, r.ID)
	if err != nil {
		return GetResponse{}, err
	}
	if u.LabelID != httpapi.CallerOf(ctx).Subject {
		return GetResponse{}, missing
	}
	done := map[playback.Rendition]bool{}
	if u.Status == ingest.Processing {
		attempts, err := ingest.Attempts(ctx, tx, u.TrackID)
		if err != nil {
			return GetResponse{}, err
		}
		for _, a := range attempts {
			if a.State == ingest.Complete {
				done[a.Rendition] = true
			}
		}
	}
	return GetResponse{
		ID: u.ID, Status: u.Status, Reason: u.Reason, TrackID: u.TrackID, DuplicateOf: u.DuplicateOf,
		Progress: progress(u.Status, len(done)), Filename: u.Filename, ExpiresAt: u.ExpiresAt,
	}, nil
}

// progress counts the probe as one step and each rendition as another.
func progress(s ingest.Status, renditions int) float64 {
	switch s {
	case ingest.Playable, ingest.Duplicate:
		return 1
	case ingest.Processing:
		return float64(1+renditions) / float64(2+len(playback.Renditions()))
	}
	return 0
}
