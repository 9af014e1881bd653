package harness

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/catalog"
)

// Source is what has become of a file that a demo user uploaded.
type Source struct {
	UploadID, TrackID string
	Playable          bool
}

// FindSource looks for a file by its SHA-256 among the tracks of the demo label,
// as the probe looks for duplicates; nil if it is to be sent.
func (h *Harness) FindSource(ctx context.Context, sha256 []byte) (*Source, error) {
	if h.keeper.client == nil {
		return nil, errors.New("there is no database yet")
	}
	var found *Source
	keys := spanner.Key{users["LABEL"].Subject, sha256}.AsPrefix()
	err := h.keeper.client.Single().ReadUsingIndex(ctx, "Tracks", "TracksBySource", keys, []string{"TrackId", "State"}).Do(func(row *spanner.Row) error {
		var id, state string
		if err := row.Columns(&id, &state); err != nil {
			return err
		}
		if state != catalog.StateFailed && (found == nil || !found.Playable) {
			found = &Source{TrackID: id, Playable: state == catalog.StatePlayable}
		}
		return nil
	})
	if err != nil || found == nil {
		return nil, err
	}
	row, err := h.keeper.client.Single().ReadRow(ctx, "Tracks", spanner.Key{found.TrackID}, []string{"UploadId"})
	if err == nil {
		err = row.Columns(&found.UploadID)
	}
	if err != nil {
		return nil, fmt.Errorf("read track %s: %w", found.TrackID, err)
	}
	return found, nil
}
