package playback

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
)

// Live is a rendition that can be played: the row that a stream is answered
// from. A track has all of its renditions live, or none.
type Live struct {
	TrackID string
	Rendition
	AttemptID    string
	Folder       string
	Cipher       Scheme
	WrappedKey   []byte
	Size         int64
	HeadSize     int64
	EncoderDelay int64
	TotalSamples int64
	SampleRate   int64
	DurationMs   int64
	Markets      []string
	GainDb       *float64 // nil until measured
	Peak         *float64
	SeekSize     *int64 // nil: it has no seek table
}

// Binding is what the rendition's key is wrapped for.
func (l *Live) Binding() Binding {
	return Binding{TrackID: l.TrackID, Format: l.Format, Bitrate: l.Bitrate, AttemptID: l.AttemptID}
}

// Store reads live renditions from Spanner.
type Store struct{ Spanner *spanner.Client }

// Rendition reads one rendition of a track: one row, by its key.
func (s *Store) Rendition(ctx context.Context, track string, r Rendition) (*Live, error) {
	missing := errs.New(errs.NotFound, "there is no track %s", track)
	// What is not even UTF-8 cannot be sent to Spanner.
	if !id.Valid(track) {
		return nil, missing
	}
	row, err := s.Spanner.Single().ReadRow(ctx, "Renditions", spanner.Key{track, string(r.Format), int64(r.Bitrate)}, []string{
		"AttemptId", "Folder", "Cipher", "WrappedKey", "Size", "HeadSize", "EncoderDelay", "TotalSamples", "SampleRate",
		"DurationMs", "Markets", "GainDb", "Peak", "SeekSize",
	})
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("read rendition %s of track %s: %w", r, track, err)
	}
	l := &Live{TrackID: track, Rendition: r}
	err = row.Columns(&l.AttemptID, &l.Folder, (*string)(&l.Cipher), &l.WrappedKey, &l.Size, &l.HeadSize, &l.EncoderDelay,
		&l.TotalSamples, &l.SampleRate, &l.DurationMs, &l.Markets, &l.GainDb, &l.Peak, &l.SeekSize)
	return l, err
}
