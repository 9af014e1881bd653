package probe

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

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
		draft := describe(u, f)
		u.Warnings = f.warnings
		if err := cover(ctx, tx, u, f, &draft); err != nil {
			return nil, err
		}
		if !u.AllowDuplicate {
			if err := duplicate(ctx, tx, u, f, draft); err != nil {
				return nil, err
			}
		}
		if u.DuplicateOf != "" {
			// Its cover may be what its label sent it again for.
			added, err := draft.Again(ctx, tx, u.DuplicateOf)
			if err != nil {
				return nil, err
			}
			u.Status = ingest.Duplicate
			return changed(added), tx.BufferWrite([]*spanner.Mutation{u.Update()})
		}
		added, err := draft.Place(ctx, tx, d.NewID)
		if err != nil {
			return nil, err
		}
		u.TrackID, u.Status = added.Track, ingest.Processing
		return append(requests(u, f), changed(added)...), tx.BufferWrite(append(f.print.Insert(u.LabelID, u.TrackID), u.Update()))
	})
	if err != nil {
		return fmt.Errorf("accept upload %s: %w", uploadID, err)
	}
	return nil
}

func requests(u *ingest.Upload, f file) []proto.Message {
	all := []proto.Message{&eventpb.AnalysisRequested{
		UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation, SourceSamples: f.samples, SourceSampleRate: int32(f.SampleRate),
	}}
	for _, r := range playback.Renditions() {
		all = append(all, &eventpb.TranscodeRequested{
			UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation,
			Format: string(r.Format), Bitrate: int32(r.Bitrate), SourceSamples: f.samples, SourceSampleRate: int32(f.SampleRate),
		})
	}
	return all
}
