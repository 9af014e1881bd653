package probe

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// accept drafts the track and asks for its renditions, in one transaction. An
// upload that is no longer waiting was accepted by another delivery.
func (d Deps) accept(ctx context.Context, uploadID string, generation int64, f file) error {
	err := d.Writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		u, err := ingest.Read(ctx, tx, uploadID)
		if err != nil || u.Status != ingest.Waiting {
			return nil, err
		}
		u.Generation = generation
		if !u.AllowDuplicate {
			if u.DuplicateOf, err = duplicate(ctx, tx, u.LabelID, f.sha256); err != nil {
				return nil, err
			}
		}
		if u.DuplicateOf != "" {
			u.Status = ingest.Duplicate
			u.Reason = fmt.Sprintf("the same file is track %s; send allow_duplicate to add it again", u.DuplicateOf)
			return nil, tx.BufferWrite([]*spanner.Mutation{u.Update()})
		}
		draft := describe(u, f)
		if u.TrackID, err = draft.Add(ctx, tx, d.NewID); err != nil {
			return nil, err
		}
		u.Status = ingest.Processing
		return requests(u, f), tx.BufferWrite([]*spanner.Mutation{u.Update()})
	})
	if err != nil {
		return fmt.Errorf("accept upload %s: %w", uploadID, err)
	}
	return nil
}

// duplicate finds the label's own track of the very same file. Other labels'
// tracks are neither compared nor revealed.
func duplicate(ctx context.Context, tx *spanner.ReadWriteTransaction, label string, sha256 []byte) (string, error) {
	var found string
	err := tx.ReadUsingIndex(ctx, "Tracks", "TracksBySource", spanner.Key{label, sha256}.AsPrefix(), []string{"TrackId", "State"}).Do(func(r *spanner.Row) error {
		var id, state string
		if err := r.Columns(&id, &state); err != nil {
			return err
		}
		if found == "" && state != catalog.StateFailed {
			found = id
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look for duplicates: %w", err)
	}
	return found, nil
}

func requests(u *ingest.Upload, f file) []proto.Message {
	var all []proto.Message
	for _, r := range playback.Renditions() {
		all = append(all, &eventpb.TranscodeRequested{
			UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation,
			Format: string(r.Format), Bitrate: int32(r.Bitrate), SourceSamples: f.samples, SourceSampleRate: int32(f.SampleRate),
		})
	}
	return all
}
