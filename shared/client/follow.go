package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/segue-audio/segue/shared/ingest"
)

// Status is the answer of GET /v1/uploads/{id}.
type Status struct {
	ID          string        `json:"id"`
	Status      ingest.Status `json:"status"`
	Reason      string        `json:"reason"`
	TrackID     string        `json:"track_id"`
	DuplicateOf string        `json:"duplicate_of"`
	Progress    float64       `json:"progress"`
	// Warnings are what was left out of a file that was accepted.
	Warnings []string `json:"warnings,omitempty"`
	// ImageID is of a picture that is stored.
	ImageID string `json:"image_id,omitempty"`
}

// Settled says whether the upload has come to an end.
func (s *Status) Settled() bool { return s.Status != ingest.Waiting && s.Status != ingest.Processing }

// Status asks where an upload stands, again if the answer does not come.
func (c *Client) Status(ctx context.Context, upload string) (s Status, err error) {
	err = c.CallAgain(ctx, http.MethodGet, "/v1/uploads/"+url.PathEscape(upload), nil, &s)
	return s, err
}

// Follow asks for an upload's status, at every interval, until it is settled;
// seen is told of each answer.
func (c *Client) Follow(ctx context.Context, upload string, every time.Duration, seen func(Status)) (Status, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s, err := c.Status(ctx, upload)
		if err != nil {
			return s, err
		}
		seen(s)
		if s.Settled() {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("upload %s is still %s: %w", upload, s.Status, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
