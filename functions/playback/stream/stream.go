package stream

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/playback"
)

// Deps are what Stream works with.
type Deps struct {
	Access     *playback.Access
	Renditions *playback.CachedStore
	Catalog    *catalog.Store
	Keys       *playback.Wrapper
	Signer     playback.Signer
	Now        func() time.Time
}

// ttl is how long a URL and its key are good; a client asks again before.
const ttl = playback.StreamTTL

// Request asks for a track in a format and a quality.
type Request struct {
	ID      string `json:"-" path:"id"`
	Format  string `json:"-" query:"format"`
	Quality string `json:"-" query:"quality"`
	// Context is what is being played through; Offset, where in it the track is.
	Context string `json:"-" query:"context"`
	Offset  int64  `json:"-" query:"offset"`
	// Session is that of POST /v1/me/playback/sessions; without it, the token's is.
	Session string `json:"-" query:"session"`
	// Prefetch never starts a session: nobody has pressed play.
	Prefetch bool `json:"-" query:"prefetch"`

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

// Stream authorises one rendition for some minutes. All that Redis is asked is
// one round trip, and one more where the session that plays is displaced; a
// rendition that nobody played lately is one read by key.
func Stream(ctx context.Context, r Request, d Deps) (Response, error) {
	caller := httpapi.CallerOf(ctx)
	session, err := d.session(r.Session)
	if err != nil {
		return Response{}, err
	}
	question := playback.Question{Account: caller.Subject, SignIn: caller.Session, Session: session, Track: r.ID, Prefetch: r.Prefetch}
	var answers *playback.Answers
	var wanted *playback.Wanted
	if err := limit.Of(ctx).Do(ctx, func(pipe redis.Pipeliner) {
		answers = d.Access.Ask(ctx, pipe, question)
		wanted = d.Renditions.Look(ctx, pipe, r.ID, r.rendition)
	}); err != nil {
		return Response{}, err
	}
	state := answers.State(ctx, caller.Product)
	if err := allowed(r, state); err != nil {
		return Response{}, err
	}
	l, err := wanted.Result(ctx)
	if err != nil {
		return Response{}, err
	}
	if !catalog.InMarket(l.Markets, caller.Market) {
		return Response{}, errs.New(errs.NotFound, "track %s is not available in %s", r.ID, caller.Market).Because("not_available_in_market")
	}
	key, l, err := d.unwrap(ctx, l)
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
	if state.Begins && !d.Access.Begin(ctx, question) {
		return Response{}, errDisplaced()
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

// unwrap opens the rendition's key. One that was cached before the keyset was
// rotated may be wrapped by a key that is gone: its row has it anew.
func (d Deps) unwrap(ctx context.Context, l *playback.Live) ([]byte, *playback.Live, error) {
	key, err := d.Keys.Unwrap(l.WrappedKey, l.Binding())
	if err == nil {
		return key, l, nil
	}
	now, rerr := d.Renditions.Fresh(ctx, l.TrackID, l.Rendition)
	if rerr != nil {
		return nil, nil, rerr
	}
	if bytes.Equal(now.WrappedKey, l.WrappedKey) {
		return nil, nil, err
	}
	key, err = d.Keys.Unwrap(now.WrappedKey, now.Binding())
	return key, now, err
}

func (d Deps) session(text string) (*playback.Session, error) {
	if text == "" {
		return nil, nil
	}
	s, err := playback.ParseSession(text, d.Now())
	return &s, err
}

func allowed(r Request, s playback.State) error {
	switch {
	case s.TakenDown:
		return playback.TakenDown(r.ID)
	case r.rendition.Bitrate > playback.Medium && s.Product != playback.Premium:
		return errs.New(errs.Forbidden, "%d kbit/s needs a premium subscription", r.rendition.Bitrate).Because("premium_required")
	case s.Displaced:
		return errDisplaced()
	}
	return nil
}

func errDisplaced() error {
	return errs.New(errs.Conflict, "this account plays on another device; POST /v1/me/playback/sessions plays here").Because("displaced")
}

// next is known for albums; other contexts have none yet. What plays now does
// not wait for what comes next: with Spanner away there is none.
func (d Deps) next(ctx context.Context, r Request) (*Next, error) {
	if r.album == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, nextWithin)
	defer cancel()
	track, err := d.Catalog.After(ctx, r.album, r.ID)
	if errs.CodeOf(err) == errs.Invalid {
		return nil, err
	}
	if err != nil {
		slog.WarnContext(ctx, "next is not known", "error", err)
	}
	if track == "" {
		return nil, nil
	}
	return &Next{Context: "album", TrackID: track}, nil
}

// nextWithin is what an answer waits to learn what comes next.
const nextWithin = 500 * time.Millisecond
