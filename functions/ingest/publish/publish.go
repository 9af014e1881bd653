package publish

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// Deps are what Publish works with.
type Deps struct {
	Writer *event.Writer
	Audio  *storage.BucketHandle
	Now    func() time.Time
}

// Part is an event that tells of a part of a track.
type Part interface {
	proto.Message
	GetTrackId() string
}

// Publish reacts to one part that is done. Its transaction reads and locks all
// attempts of the track, so that of several at once exactly one sees the set
// complete. Die after it, and the next delivery finds the same losers again.
func Publish(ctx context.Context, m Part, d Deps) error {
	var losers []*ingest.Attempt
	err := d.Writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) (events []proto.Message, err error) {
		losers, events, err = d.decide(ctx, tx, m)
		return events, err
	})
	if err != nil {
		return fmt.Errorf("publish track %s: %w", m.GetTrackId(), err)
	}
	if len(losers) > 0 {
		crash.Point("publish:committed")
	}
	for _, a := range losers {
		slog.InfoContext(ctx, "attempt removed", "track", a.TrackID, "rendition", a.String(), "attempt", a.ID, "state", a.State)
		if err := a.Discard(ctx, d.Writer.Spanner, d.Audio); err != nil {
			return err
		}
	}
	return nil
}

// decide returns the attempts to remove, and the events of what it changed.
func (d Deps) decide(ctx context.Context, tx *spanner.ReadWriteTransaction, m Part) ([]*ingest.Attempt, []proto.Message, error) {
	t, err := readTrack(ctx, tx, m.GetTrackId())
	if spanner.ErrCode(err) == codes.NotFound {
		slog.WarnContext(ctx, "a part of a track that is gone", "track", m.GetTrackId())
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	attempts, err := ingest.Attempts(ctx, tx, m.GetTrackId())
	if err != nil {
		return nil, nil, err
	}
	switch t.state {
	case catalog.StateFailed:
		return ingest.Unwanted(attempts, nil, d.Now()), nil, nil
	case catalog.StatePlayable:
		live, err := liveAttempts(ctx, tx, m.GetTrackId())
		if err != nil {
			return nil, nil, err
		}
		events, err := remeasure(ctx, tx, m.GetTrackId(), t)
		return ingest.Unwanted(attempts, live, d.Now()), events, err
	}
	chosen := choose(attempts)
	if len(chosen) < len(playback.Renditions()) {
		return nil, nil, nil
	}
	measured, err := t.measure(ctx, tx, m.GetTrackId())
	if err != nil || !measured {
		return nil, nil, err
	}
	live := map[string]bool{}
	rows := []*spanner.Mutation{
		spanner.UpdateMap("Tracks", map[string]any{
			"TrackId": m.GetTrackId(), "State": catalog.StatePlayable, "GainDb": t.gain, "Peak": t.peak, "UpdatedAt": spanner.CommitTimestamp,
		}),
		spanner.InsertMap("AlbumTracks", map[string]any{"AlbumId": t.album, "DiscNumber": t.disc, "TrackNumber": t.number, "TrackId": m.GetTrackId()}),
		spanner.UpdateMap("Uploads", map[string]any{"UploadId": t.upload, "Status": string(ingest.Playable), "UpdatedAt": spanner.CommitTimestamp}),
	}
	for _, a := range chosen {
		live[a.ID] = true
		rows = append(rows, rendition(a, t))
	}
	events := []proto.Message{
		&eventpb.CatalogChanged{Kind: "track", Id: m.GetTrackId()},
		&eventpb.CatalogChanged{Kind: "album", Id: t.album},
	}
	return ingest.Unwanted(attempts, live, d.Now()), events, tx.BufferWrite(rows)
}

// choose picks the attempt of each rendition that was complete first.
func choose(attempts []*ingest.Attempt) map[playback.Rendition]*ingest.Attempt {
	chosen := map[playback.Rendition]*ingest.Attempt{}
	for _, a := range attempts {
		if a.State != ingest.Complete {
			continue
		}
		if c := chosen[a.Rendition]; c == nil || a.CompletedAt.Before(c.CompletedAt) {
			chosen[a.Rendition] = a
		}
	}
	return chosen
}

func liveAttempts(ctx context.Context, tx *spanner.ReadWriteTransaction, track string) (map[string]bool, error) {
	live := map[string]bool{}
	err := tx.Read(ctx, "Renditions", spanner.Key{track}.AsPrefix(), []string{"AttemptId"}).Do(func(r *spanner.Row) error {
		var id string
		err := r.Columns(&id)
		live[id] = true
		return err
	})
	return live, err
}

func rendition(a *ingest.Attempt, t *track) *spanner.Mutation {
	return spanner.InsertMap("Renditions", map[string]any{
		"TrackId": a.TrackID, "Format": string(a.Format), "Bitrate": int64(a.Bitrate), "AttemptId": a.ID, "Folder": a.Folder,
		"Cipher": string(a.Cipher), "WrappedKey": a.WrappedKey, "Size": a.Size, "Sha256": a.Sha256, "HeadSize": a.HeadSize,
		"EncoderDelay": a.Delay, "TotalSamples": a.TotalSamples, "SampleRate": a.SampleRate, "DurationMs": t.durationMs,
		"Markets": append([]string{}, t.markets...), "GainDb": t.gain, "Peak": t.peak,
		"SeekSize": spanner.NullInt64{Int64: a.SeekSize, Valid: a.SeekSize > 0}, "PublishedAt": spanner.CommitTimestamp,
		"TakenDownAt": t.takenDown,
	})
}
