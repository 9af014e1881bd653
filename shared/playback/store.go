package playback

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/cache"
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
	TakenDown    bool
}

// Binding is what the rendition's key is wrapped for.
func (l *Live) Binding() Binding {
	return Binding{TrackID: l.TrackID, Format: l.Format, Bitrate: l.Bitrate, AttemptID: l.AttemptID}
}

// Store reads live renditions from Spanner.
type Store struct{ Spanner *spanner.Client }

// Rendition is Find for whoever wants a rendition that can be played.
func (s *Store) Rendition(ctx context.Context, track string, r Rendition) (*Live, error) {
	found, err := s.Find(ctx, track, r)
	return playable(track, found.Value, found.Exists, err)
}

// Find reads one rendition of a track: one row, by its key, as it is now. That
// there is none is found out, too.
func (s *Store) Find(ctx context.Context, track string, r Rendition) (cache.Found[*Live], error) {
	var found cache.Found[*Live]
	// Earlier than the read is always safe, where Spanner does not tell its time.
	found.At = time.Now()
	tx := s.Spanner.Single()
	row, err := tx.ReadRow(ctx, "Renditions", spanner.Key{track, string(r.Format), int64(r.Bitrate)}, []string{
		"AttemptId", "Folder", "Cipher", "WrappedKey", "Size", "HeadSize", "EncoderDelay", "TotalSamples", "SampleRate",
		"DurationMs", "Markets", "GainDb", "Peak", "SeekSize", "TakenDownAt",
	})
	if at, terr := tx.Timestamp(); terr == nil {
		found.At = at
	}
	if spanner.ErrCode(err) == codes.NotFound {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("read rendition %s of track %s: %w", r, track, err)
	}
	l, down := &Live{TrackID: track, Rendition: r}, spanner.NullTime{}
	err = row.Columns(&l.AttemptID, &l.Folder, (*string)(&l.Cipher), &l.WrappedKey, &l.Size, &l.HeadSize, &l.EncoderDelay,
		&l.TotalSamples, &l.SampleRate, &l.DurationMs, &l.Markets, &l.GainDb, &l.Peak, &l.SeekSize, &down)
	l.TakenDown = down.Valid
	found.Value, found.Exists = l, err == nil
	return found, err
}
