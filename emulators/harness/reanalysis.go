package harness

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event/eventpb"
)

// batch is how many events are recorded in one transaction.
const batch = 100

// reanalysis is a playable track of which scripts/reanalyze asked for another
// analysis, which has not arrived where a stream reads it.
type reanalysis struct {
	TrackID    string             `spanner:"TrackId"`
	UploadID   string             `spanner:"UploadId"`
	Object     spanner.NullString `spanner:"Object"`
	Generation spanner.NullInt64  `spanner:"Generation"`
	Samples    int64              `spanner:"SourceSamples"`
	Rate       int64              `spanner:"SourceSampleRate"`
	Version    int64              `spanner:"Version"`
}

// Version 0 is a row that is to be made anew. A row whose gain or peak the track
// does not have is made, and publish has yet to hear of it; its arithmetic may
// differ from ours in the last digit, hence the tolerance. What is missing or
// merely old nobody need have asked for: scripts/reanalyze finds it again.
const reanalysesUnderWay = `SELECT t.TrackId, t.UploadId, u.Object, u.Generation, t.SourceSamples, t.SourceSampleRate, a.Version
FROM Tracks AS t JOIN TrackAnalyses AS a ON a.TrackId = t.TrackId LEFT JOIN Uploads AS u ON u.UploadId = t.UploadId
WHERE t.State = '` + catalog.StatePlayable + `' AND (a.Version = 0 OR t.GainDb IS NULL OR t.GainDb != a.GainDb
OR t.Peak IS NULL OR ABS(t.Peak - IF(a.TruePeakDb IS NULL, 0, POW(10, a.TruePeakDb / 20))) > 1e-9)
ORDER BY t.TrackId`

// reanalyses asks for the analyses of playable tracks that are to be made anew,
// and tells of those that are made. A track whose source is gone keeps what it
// has. Die between two batches, and the next start finds the rest.
func (r resumption) reanalyses(ctx context.Context, objects map[string]*storage.ObjectAttrs) error {
	var all []proto.Message
	err := r.writer.Spanner.Single().Query(ctx, spanner.NewStatement(reanalysesUnderWay)).Do(func(row *spanner.Row) error {
		var a reanalysis
		if err := row.ToStruct(&a); err != nil {
			return err
		}
		if m := a.event(objects[a.Object.StringVal]); m != nil {
			fmt.Fprintf(r.log, "the analysis of track %s goes on\n", a.TrackID)
			all = append(all, m)
			return nil
		}
		fmt.Fprintf(r.log, "track %s cannot be analysed again: its source is gone (upload %s)\n", a.TrackID, a.UploadID)
		return nil
	})
	if err != nil {
		return fmt.Errorf("find the analyses under way: %w", err)
	}
	for some := range slices.Chunk(all, batch) {
		if err := r.writer.Write(ctx, func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error) { return some, nil }); err != nil {
			return fmt.Errorf("resume analyses: %w", err)
		}
	}
	return nil
}

// event is what is sent again, given the upload's object; nil: it is gone.
func (a reanalysis) event(object *storage.ObjectAttrs) proto.Message {
	switch {
	case a.Version != 0:
		return &eventpb.TrackAnalyzed{UploadId: a.UploadID, TrackId: a.TrackID, Version: int32(a.Version)}
	case object == nil || object.Generation != a.Generation.Int64:
		return nil
	}
	return &eventpb.AnalysisRequested{
		UploadId: a.UploadID, TrackId: a.TrackID, Object: a.Object.StringVal, Generation: a.Generation.Int64,
		SourceSamples: a.Samples, SourceSampleRate: int32(a.Rate),
	}
}
