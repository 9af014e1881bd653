package analyze

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/analysis"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// Deps are what Analyze works with.
type Deps struct {
	Writer  *event.Writer
	Now     func() time.Time
	Uploads *storage.BucketHandle
	Audio   *storage.BucketHandle // where a file that cannot be analysed has renditions
}

// measured is what is stored of a track.
type measured struct {
	ffmpeg.Loudness
	analysis.Features
}

// Analyze measures the file that m names. Until its one transaction commits,
// nothing is written: die before, and the next delivery starts over; die after,
// and the outbox holds the event. Two at once cost twice the work, which is
// little, and of their rows the first stays.
//
// A file that cannot be analysed fails its upload: die before its renditions are
// removed, and the next delivery removes them.
//
// Delivered again, it only tells again of what is stored, and that only while
// publish may still wait for it. A track that is playable is analysed when its
// row is missing or of an older version (scripts/reanalyze).
func Analyze(ctx context.Context, m *eventpb.AnalysisRequested, d Deps) error {
	s, err := d.read(ctx, m)
	switch {
	case err != nil:
		return err
	case s == unwanted:
		// It may have failed, and whoever recorded that died before the rest.
		_, err := ingest.DiscardFailed(ctx, d.Writer.Spanner, d.Audio, m.GetUploadId(), d.Now())
		return err
	case s == stored:
		return d.record(ctx, m, nil)
	}
	found, err := d.measure(ctx, m)
	if bad := new(ffmpeg.ErrFile); errors.As(err, &bad) {
		// The probe decoded this file to its end. A playable track stays so.
		slog.WarnContext(ctx, "a file that cannot be analysed", "upload", m.GetUploadId(), "track", m.GetTrackId(), "reason", bad.Reason)
		return ingest.FailTrack(ctx, d.Writer.Spanner, d.Audio, m.GetUploadId(), m.GetGeneration(), "it cannot be analysed: "+bad.Reason, d.Now())
	}
	if err != nil {
		return err
	}
	crash.Point("analyze:measured")
	return d.record(ctx, m, found)
}

// measure downloads the file and decodes it once, for loudness and all else.
func (d Deps) measure(ctx context.Context, m *eventpb.AnalysisRequested) (*measured, error) {
	dir, err := os.MkdirTemp("", "analyze-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "source")
	if err := ingest.Download(ctx, d.Uploads, m.GetObject(), m.GetGeneration(), source, nil); err != nil {
		return nil, err
	}
	return measureFile(ctx, source, m.GetSourceSamples(), int64(m.GetSourceSampleRate()))
}

func measureFile(ctx context.Context, file string, samples, rate int64) (*measured, error) {
	if samples <= 0 || rate <= 0 {
		return nil, fmt.Errorf("a file of %d samples at %d Hz was never accepted", samples, rate)
	}
	a := analysis.New(ffmpeg.TotalSamples(samples, rate))
	loudness, err := ffmpeg.MeasureLoudness(ctx, file, a)
	if err != nil {
		return nil, err
	}
	f := a.Features()
	return &measured{Loudness: loudness, Features: f}, ingest.CheckLength("the decoded file", f.Samples, samples, rate)
}
