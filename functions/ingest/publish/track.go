package publish

import (
	"context"
	"math"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/playback"
)

type track struct {
	state, album, upload string
	disc, number         int64
	durationMs           int64
	markets              []string
	gain, peak           spanner.NullFloat64 // as they are published
	takenDown            spanner.NullTime    // maybe before it is published
}

func readTrack(ctx context.Context, tx *spanner.ReadWriteTransaction, id string) (*track, error) {
	row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{id},
		[]string{"State", "AlbumId", "UploadId", "DiscNumber", "TrackNumber", "DurationMs", "Markets", "GainDb", "Peak", "TakenDownAt"})
	if err != nil {
		return nil, err
	}
	var t track
	return &t, row.Columns(&t.state, &t.album, &t.upload, &t.disc, &t.number, &t.durationMs, &t.markets, &t.gain, &t.peak, &t.takenDown)
}

// measure takes the loudness from the track's analysis, if there is one.
func (t *track) measure(ctx context.Context, tx *spanner.ReadWriteTransaction, id string) (measured bool, err error) {
	row, err := tx.ReadRow(ctx, "TrackAnalyses", spanner.Key{id}, []string{"GainDb", "TruePeakDb"})
	if spanner.ErrCode(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var peakDb spanner.NullFloat64
	if err := row.Columns(&t.gain, &peakDb); err != nil {
		return false, err
	}
	t.peak = spanner.NullFloat64{Valid: true} // of silence
	if peakDb.Valid {
		t.peak.Float64 = math.Pow(10, peakDb.Float64/20)
	}
	return true, nil
}

// remeasure brings what a later analysis found to where a stream reads it.
func remeasure(ctx context.Context, tx *spanner.ReadWriteTransaction, id string, published *track) ([]proto.Message, error) {
	t := *published
	if measured, err := t.measure(ctx, tx, id); err != nil || !measured || (t.gain == published.gain && t.peak == published.peak) {
		return nil, err
	}
	rows := []*spanner.Mutation{spanner.UpdateMap("Tracks", map[string]any{
		"TrackId": id, "GainDb": t.gain, "Peak": t.peak, "UpdatedAt": spanner.CommitTimestamp,
	})}
	for _, r := range playback.Renditions() {
		rows = append(rows, spanner.UpdateMap("Renditions", map[string]any{
			"TrackId": id, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "GainDb": t.gain, "Peak": t.peak,
		}))
	}
	return []proto.Message{&eventpb.CatalogChanged{Kind: "track", Id: id}}, tx.BufferWrite(rows)
}
