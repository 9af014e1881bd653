package harness

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// resumption sends again what Pub/Sub knew and forgot: it keeps nothing between
// runs. Every consumer does nothing twice, so what is sent once too often costs
// a look at a row. Die in here, and the next start resumes anew.
type resumption struct {
	writer  *event.Writer
	uploads *storage.BucketHandle
	notify  func(ctx context.Context, attributes map[string]string) error // the uploads bucket's topic
	log     io.Writer
}

// run sees to every upload that has not come to an end, to what is left of those
// that have, and to the playable tracks that are being analysed again.
func (r resumption) run(ctx context.Context) error {
	objects, err := list(ctx, r.uploads, ingest.Prefix)
	if err != nil {
		return err
	}
	ids, err := r.ids(ctx, `SELECT UploadId FROM Uploads WHERE Status IN ('`+string(ingest.Waiting)+`', '`+string(ingest.Processing)+`')`)
	if err != nil {
		return fmt.Errorf("find the uploads under way: %w", err)
	}
	for _, id := range ids {
		u, err := ingest.Read(ctx, r.writer.Spanner.Single(), id)
		if err != nil {
			return err
		}
		if err := r.upload(ctx, u, objects[u.Object]); err != nil {
			return fmt.Errorf("resume upload %s: %w", id, err)
		}
	}
	if err := r.reanalyses(ctx, objects); err != nil {
		return err
	}
	return r.losers(ctx)
}

func (r resumption) ids(ctx context.Context, sql string) (ids []string, err error) {
	err = r.writer.Spanner.Single().Query(ctx, spanner.NewStatement(sql)).Do(func(row *spanner.Row) error {
		var id string
		err := row.Columns(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func (r resumption) upload(ctx context.Context, u *ingest.Upload, object *storage.ObjectAttrs) error {
	switch {
	case u.Status == ingest.Processing && (object == nil || object.Generation != u.Generation):
		fmt.Fprintf(r.log, "upload %s: its file is gone\n", u.ID)
		return ingest.Fail(ctx, r.writer.Spanner, u.ID, u.Generation, "the uploaded file is gone")
	case u.Status == ingest.Processing:
		fmt.Fprintf(r.log, "upload %s goes on\n", u.ID)
		return r.requests(ctx, u)
	case object == nil:
		return nil // its file has yet to come; the URL is good as long as it says
	}
	fmt.Fprintf(r.log, "upload %s begins again\n", u.ID)
	return r.notify(ctx, map[string]string{
		"eventType": "OBJECT_FINALIZE", "payloadFormat": "NONE", "bucketId": object.Bucket, "objectId": object.Name,
		"objectGeneration": strconv.FormatInt(object.Generation, 10), "eventTime": r.writer.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
	})
}

// requests asks for the parts that are not made, and tells of those that are: the
// last of them may not have been told.
func (r resumption) requests(ctx context.Context, u *ingest.Upload) error {
	return r.writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{u.TrackID}, []string{"SourceSamples", "SourceSampleRate"})
		if err != nil {
			return nil, fmt.Errorf("read track %s: %w", u.TrackID, err)
		}
		var samples, rate int64
		if err := row.Columns(&samples, &rate); err != nil {
			return nil, err
		}
		attempts, err := ingest.Attempts(ctx, tx, u.TrackID)
		if err != nil {
			return nil, err
		}
		complete := map[playback.Rendition]string{}
		var over []*spanner.Mutation
		for _, a := range attempts {
			if a.State == ingest.Complete {
				complete[a.Rendition] = a.ID
				continue
			}
			// Whoever held the lease died with the last harness: the data folder
			// is ours. The next attempt need not wait for it to run out.
			over = append(over, spanner.Update("RenditionAttempts",
				[]string{"TrackId", "Format", "Bitrate", "AttemptId", "LeaseUntil"}, append(a.Key(), r.writer.Now())))
		}
		all, err := analysis(ctx, tx, u, samples, rate)
		if err != nil {
			return nil, err
		}
		for _, want := range playback.Renditions() {
			if attempt := complete[want]; attempt != "" {
				all = append(all, &eventpb.RenditionReady{
					UploadId: u.ID, TrackId: u.TrackID, Format: string(want.Format), Bitrate: int32(want.Bitrate), AttemptId: attempt,
				})
				continue
			}
			all = append(all, &eventpb.TranscodeRequested{
				UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation,
				Format: string(want.Format), Bitrate: int32(want.Bitrate), SourceSamples: samples, SourceSampleRate: int32(rate),
			})
		}
		return all, tx.BufferWrite(over)
	})
}

// analysis asks for the track's analysis, or tells of it.
func analysis(ctx context.Context, tx *spanner.ReadWriteTransaction, u *ingest.Upload, samples, rate int64) ([]proto.Message, error) {
	row, err := tx.ReadRow(ctx, "TrackAnalyses", spanner.Key{u.TrackID}, []string{"Version"})
	if spanner.ErrCode(err) == codes.NotFound {
		return []proto.Message{&eventpb.AnalysisRequested{
			UploadId: u.ID, TrackId: u.TrackID, Object: u.Object, Generation: u.Generation, SourceSamples: samples, SourceSampleRate: int32(rate),
		}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the analysis of track %s: %w", u.TrackID, err)
	}
	var version int64
	err = row.Columns(&version)
	return []proto.Message{&eventpb.TrackAnalyzed{UploadId: u.ID, TrackId: u.TrackID, Version: int32(version)}}, err
}

// losers has publish remove the attempts that are not played of tracks that are
// settled: it removes all of a track's when told of one.
func (r resumption) losers(ctx context.Context) error {
	sql := `SELECT a.TrackId, t.UploadId, MIN(a.AttemptId) FROM RenditionAttempts AS a JOIN Tracks AS t ON t.TrackId = a.TrackId
LEFT JOIN Renditions AS r ON r.TrackId = a.TrackId AND r.Format = a.Format AND r.Bitrate = a.Bitrate AND r.AttemptId = a.AttemptId
WHERE t.State != '` + catalog.StateProcessing + `' AND r.AttemptId IS NULL GROUP BY a.TrackId, t.UploadId`
	var all []proto.Message
	first := playback.Renditions()[0]
	err := r.writer.Spanner.Single().Query(ctx, spanner.NewStatement(sql)).Do(func(row *spanner.Row) error {
		m := &eventpb.RenditionReady{Format: string(first.Format), Bitrate: int32(first.Bitrate)}
		err := row.Columns(&m.TrackId, &m.UploadId, &m.AttemptId)
		all = append(all, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("find attempts that lost: %w", err)
	}
	if len(all) == 0 {
		return nil
	}
	return r.writer.Write(ctx, func(context.Context, *spanner.ReadWriteTransaction) ([]proto.Message, error) { return all, nil })
}
