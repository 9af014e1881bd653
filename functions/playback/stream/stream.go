package stream

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

// Deps are what Stream works with.
type Deps struct {
	Renditions *playback.Store
	Catalog    *catalog.Store
	Keys       *playback.Wrapper
	Signer     playback.Signer
	Now        func() time.Time
}

// ttl is how long a URL and its key are good; a client asks again before.
const ttl = 10 * time.Minute

// Request asks for a track in a format and a quality.
type Request struct {
	ID      string `json:"-" path:"id"`
	Format  string `json:"-" query:"format"`
	Quality string `json:"-" query:"quality"`
	// Context is what is being played through; Offset, where in it the track is.
	Context string `json:"-" query:"context"`
	Offset  int64  `json:"-" query:"offset"`

	rendition playback.Rendition
	album     string
}

// Validate fills in defaults and refuses what does not exist.
func (r *Request) Validate() error {
	r.rendition = playback.Rendition{Format: playback.Ogg, Bitrate: playback.Medium}
	var err error
	if r.Format != "" {
		if r.rendition.Format, err = playback.ParseFormat(r.Format); err != nil {
			return errs.New(errs.Invalid, "%v", err)
		}
	}
	if r.Quality != "" {
		if r.rendition.Bitrate, err = playback.ParseQuality(r.Quality); err != nil {
			return errs.New(errs.Invalid, "%v", err)
		}
	}
	if r.Offset < 0 {
		return errs.New(errs.Invalid, "query parameter offset: %d is negative", r.Offset)
	}
	if r.Context != "" {
		kind, value, err := id.ParseURI(r.Context)
		if err != nil {
			return errs.New(errs.Invalid, "query parameter context: %v", err)
		}
		if kind == "album" {
			r.album = value
		}
	}
	return nil
}

// Response is all that a player needs.
type Response struct {
	TrackID      string           `json:"track_id"`
	Format       playback.Format  `json:"format"`
	Bitrate      playback.Quality `json:"bitrate"` // nominal, kbit/s
	MIMEType     string           `json:"mime_type"`
	Size         int64            `json:"size"`
	DurationMs   int64            `json:"duration_ms"`
	URL          string           `json:"url"`
	ExpiresAt    time.Time        `json:"expires_at"`
	Key          Key              `json:"key"`
	GainDb       *float64         `json:"gain_db"` // null until measured
	Peak         *float64         `json:"peak"`
	EncoderDelay int64            `json:"encoder_delay"` // samples to drop at the begin
	TotalSamples int64            `json:"total_samples"` // to play after them
	HeadSize     int64            `json:"head_size"`     // bytes of the first 30 s
	SampleRate   int64            `json:"sample_rate"`
	HashesURL    string           `json:"hashes_url"` // SHA-256 of each block of ciphertext
	SeekURL      *string          `json:"seek_url"`   // where to begin for a moment; null: no table
	BlockSize    int              `json:"block_size"`
	Next         *Next            `json:"next"`
}

// Key decrypts the rendition; the counter of its first block is 0.
type Key struct {
	Scheme    playback.Scheme `json:"scheme"`
	ID        string          `json:"id"`
	Value     string          `json:"value"` // base64url without padding
	ExpiresAt time.Time       `json:"expires_at"`
}

// Next is the track that follows in the context.
type Next struct {
	Context string `json:"context"`
	TrackID string `json:"track_id"`
}

// Headers keep the key out of every cache.
func (Response) Headers(h http.Header) { h.Set("Cache-Control", "no-store") }

// Stream authorises one rendition for some minutes.
func Stream(ctx context.Context, r Request, d Deps) (Response, error) {
	caller := httpapi.CallerOf(ctx)
	if r.rendition.Bitrate > playback.Medium && caller.Product != "premium" {
		return Response{}, errs.New(errs.Forbidden, "%d kbit/s needs a premium subscription", r.rendition.Bitrate).Because("premium_required")
	}
	l, err := d.Renditions.Rendition(ctx, r.ID, r.rendition)
	if err != nil {
		return Response{}, err
	}
	if !catalog.InMarket(l.Markets, caller.Market) {
		return Response{}, errs.New(errs.NotFound, "track %s is not available in %s", r.ID, caller.Market).Because("not_available_in_market")
	}
	key, err := d.Keys.Unwrap(l.WrappedKey, l.Binding())
	if err != nil {
		return Response{}, err
	}
	expires := d.Now().Add(ttl).UTC().Truncate(time.Second)
	urls, err := d.Signer.Sign(ctx, l.Folder, expires)
	if err != nil {
		return Response{}, err
	}
	next, err := d.next(ctx, r)
	if err != nil {
		return Response{}, err
	}
	var seek *string
	if l.SeekSize != nil {
		seek = &urls.Seek
	}
	return Response{
		TrackID: l.TrackID, Format: l.Format, Bitrate: l.Bitrate, MIMEType: l.Format.MIMEType(), Size: l.Size, DurationMs: l.DurationMs,
		URL: urls.Data, HashesURL: urls.Hashes, SeekURL: seek, ExpiresAt: expires,
		Key:    Key{Scheme: l.Cipher, ID: l.AttemptID, Value: base64.RawURLEncoding.EncodeToString(key), ExpiresAt: expires},
		GainDb: l.GainDb, Peak: l.Peak, EncoderDelay: l.EncoderDelay, TotalSamples: l.TotalSamples, HeadSize: l.HeadSize,
		SampleRate: l.SampleRate, BlockSize: playback.BlockSize, Next: next,
	}, nil
}

// next is known for albums; other contexts have none yet.
func (d Deps) next(ctx context.Context, r Request) (*Next, error) {
	if r.album == "" {
		return nil, nil
	}
	track, err := d.Catalog.After(ctx, r.album, r.ID)
	if err != nil || track == "" {
		return nil, err
	}
	return &Next{Context: "album", TrackID: track}, nil
}
