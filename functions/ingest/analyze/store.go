package analyze

import (
	"context"
	"fmt"
	"math"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/analysis"
)

// state is where a track stands, as seen from here.
type state int

const (
	unwanted state = iota // nobody waits for it any more, or it is done
	stored                // it is done, but publish may wait to hear of it
	missing               // it is to be made
)

type reader interface {
	ReadRow(ctx context.Context, table string, key spanner.Key, columns []string) (*spanner.Row, error)
}

func (d Deps) read(ctx context.Context, m *eventpb.AnalysisRequested) (state, error) {
	tx := d.Writer.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	s, _, err := find(ctx, tx, m)
	return s, err
}

// find reads where the track stands and the version that is stored of it, or 0.
func find(ctx context.Context, r reader, m *eventpb.AnalysisRequested) (state, int64, error) {
	u, err := ingest.Read(ctx, r, m.GetUploadId())
	if err != nil {
		return unwanted, 0, err
	}
	if u.TrackID != m.GetTrackId() || (u.Settled() && u.Status != ingest.Playable) {
		return unwanted, 0, nil
	}
	row, err := r.ReadRow(ctx, "TrackAnalyses", spanner.Key{m.GetTrackId()}, []string{"Version"})
	if spanner.ErrCode(err) == codes.NotFound {
		return missing, 0, nil
	}
	var version int64
	if err == nil {
		err = row.Columns(&version)
	}
	switch {
	case err != nil:
		return unwanted, 0, fmt.Errorf("read the analysis of track %s: %w", m.GetTrackId(), err)
	case version < analysis.Version:
		return missing, version, nil
	case u.Status == ingest.Playable:
		return unwanted, version, nil
	}
	return stored, version, nil
}

// record stores what was found, unless another did, and tells of what is stored.
func (d Deps) record(ctx context.Context, m *eventpb.AnalysisRequested, found *measured) error {
	err := d.Writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		s, version, err := find(ctx, tx, m)
		switch {
		case err != nil || s == unwanted:
			return nil, err
		case s == missing && found == nil:
			return nil, fmt.Errorf("the analysis of track %s was there and is gone", m.GetTrackId())
		case s == missing:
			version = analysis.Version
			if err := tx.BufferWrite([]*spanner.Mutation{found.row(m.GetTrackId())}); err != nil {
				return nil, err
			}
		}
		return []proto.Message{&eventpb.TrackAnalyzed{UploadId: m.GetUploadId(), TrackId: m.GetTrackId(), Version: int32(version)}}, nil
	})
	if err != nil {
		return fmt.Errorf("record the analysis of track %s: %w", m.GetTrackId(), err)
	}
	return nil
}

func (f *measured) row(track string) *spanner.Mutation {
	decibels := func(v float64) spanner.NullFloat64 { return spanner.NullFloat64{Float64: v, Valid: !math.IsInf(v, 0)} }
	mode := int64(0)
	if f.Key.Major {
		mode = 1
	}
	return spanner.InsertOrUpdateMap("TrackAnalyses", map[string]any{
		"TrackId": track, "Version": int64(analysis.Version),
		"IntegratedLufs": decibels(f.Integrated), "LoudnessRange": f.Range, "TruePeakDb": decibels(f.TruePeak), "GainDb": f.Gain(),
		"Waveform":        f.Waveform[:],
		"TempoBpm":        spanner.NullFloat64{Float64: f.Tempo.BPM, Valid: f.Tempo.BPM > 0},
		"TempoConfidence": f.Tempo.Confidence,
		"KeyTonic":        spanner.NullInt64{Int64: int64(f.Key.Tonic), Valid: f.Key.Found},
		"KeyMode":         spanner.NullInt64{Int64: mode, Valid: f.Key.Found},
		"KeyConfidence":   f.Key.Confidence,
		"Energy":          f.Energy, "Brightness": f.Brightness, "LogMel": f.LogMel,
		"AnalyzedAt": spanner.CommitTimestamp,
	})
}
