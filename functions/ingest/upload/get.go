package upload

import (
	"context"
	"time"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

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
	// Warnings are what was left out of a file that was accepted.
	Warnings []string `json:"warnings,omitempty"`
	// ImageID and Images are of a picture that is stored.
	ImageID string        `json:"image_id,omitempty"`
	Images  []images.Link `json:"images,omitempty"`
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
	if !u.Settled() {
		if u.Reason, err = ingest.Delayed(ctx, tx, u.ID); err != nil {
			return GetResponse{}, err
		}
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
		Warnings: u.Warnings, ImageID: u.Image.ID, Images: u.Image.Links(d.Images),
	}, nil
}

// progress counts the probe as one step and each rendition as another.
func progress(s ingest.Status, renditions int) float64 {
	switch s {
	case ingest.Playable, ingest.Duplicate, ingest.Stored:
		return 1
	case ingest.Processing:
		return float64(1+renditions) / float64(2+len(playback.Renditions()))
	}
	return 0
}
