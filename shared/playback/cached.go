package playback

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/cache"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback/playbackpb"
)

// RenditionKind is the catalogue cache's name for renditions.
const RenditionKind = "rendition"

// inMemory is how many renditions an instance keeps for some seconds: about
// 1 kB each.
const inMemory = 10_000

// CachedStore is Store behind the catalogue cache.
type CachedStore struct {
	cache *cache.Cache[*Live]
	store *Store
}

// NewCachedStore caches what store reads.
func NewCachedStore(store *Store, client *redis.Client) *CachedStore {
	return &CachedStore{store: store, cache: cache.New(cache.Options[*Live]{
		Kind: RenditionKind, Redis: client, Size: inMemory, Now: time.Now,
		Encode: encodeLive, Decode: decodeLive,
		Load: func(ctx context.Context, key string) (cache.Found[*Live], error) {
			track, r, err := parseCacheKey(key)
			if err != nil {
				return cache.Found[*Live]{}, err
			}
			return store.Find(ctx, track, r)
		},
	})}
}

// Fresh reads past the cache, and leaves it as it is.
func (r *CachedStore) Fresh(ctx context.Context, track string, which Rendition) (*Live, error) {
	return r.store.Rendition(ctx, track, which)
}

// Wanted is a rendition that is being looked for.
type Wanted struct {
	track  string
	lookup *cache.Lookup[*Live] // nil: no such track can be
}

// Look begins to look for a rendition; pipe asks Redis, if that is needed.
func (r *CachedStore) Look(ctx context.Context, pipe redis.Pipeliner, track string, which Rendition) *Wanted {
	if !id.Valid(track) {
		return &Wanted{track: track} // it may not even be UTF-8
	}
	return &Wanted{track, r.cache.Look(ctx, pipe, cacheKey(track, which))}
}

// Result is the rendition, once pipe was executed, well or not.
func (w *Wanted) Result(ctx context.Context) (*Live, error) {
	if w.lookup == nil {
		return playable(w.track, nil, false, nil)
	}
	l, exists, err := w.lookup.Result(ctx)
	return playable(w.track, l, exists, err)
}

func playable(track string, l *Live, exists bool, err error) (*Live, error) {
	switch {
	case err != nil:
		return nil, err
	case !exists:
		return nil, errs.New(errs.NotFound, "there is no track %s", track)
	case l.TakenDown:
		return nil, TakenDown(track)
	}
	return l, nil
}

// TakenDown is the error for a track that may not be played any more.
func TakenDown(track string) error {
	return errs.New(errs.NotFound, "track %s was taken down", track).Because("taken_down")
}

// ForgetRenditions makes the cache read a track's renditions again.
func ForgetRenditions(ctx context.Context, client *redis.Client, track string, now time.Time) error {
	all := Renditions()
	keys := make([]string, len(all))
	for i, r := range all {
		keys[i] = cacheKey(track, r)
	}
	return cache.Forget(ctx, client, RenditionKind, now, keys...)
}

func cacheKey(track string, r Rendition) string {
	return fmt.Sprintf("%s:%s:%d", track, r.Format, r.Bitrate)
}

func parseCacheKey(key string) (string, Rendition, error) {
	parts := strings.Split(key, ":")
	if len(parts) != 3 {
		return "", Rendition{}, fmt.Errorf("key %q is not track:format:bitrate", key)
	}
	f, err := ParseFormat(parts[1])
	if err != nil {
		return "", Rendition{}, err
	}
	q, err := ParseQuality(parts[2])
	return parts[0], Rendition{Format: f, Bitrate: q}, err
}

// The cached form leaves out what the key says.
func encodeLive(l *Live) ([]byte, error) {
	return proto.Marshal(&playbackpb.Live{
		AttemptId: l.AttemptID, Folder: l.Folder, Cipher: string(l.Cipher), WrappedKey: l.WrappedKey, Size: l.Size, HeadSize: l.HeadSize,
		EncoderDelay: l.EncoderDelay, TotalSamples: l.TotalSamples, SampleRate: l.SampleRate, DurationMs: l.DurationMs, Markets: l.Markets,
		GainDb: l.GainDb, Peak: l.Peak, SeekSize: l.SeekSize, TakenDown: l.TakenDown,
	})
}

func decodeLive(key string, b []byte) (*Live, error) {
	track, r, err := parseCacheKey(key)
	if err != nil {
		return nil, err
	}
	var m playbackpb.Live
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	return &Live{
		TrackID: track, Rendition: r, AttemptID: m.GetAttemptId(), Folder: m.GetFolder(), Cipher: Scheme(m.GetCipher()), WrappedKey: m.GetWrappedKey(),
		Size: m.GetSize(), HeadSize: m.GetHeadSize(), EncoderDelay: m.GetEncoderDelay(), TotalSamples: m.GetTotalSamples(), SampleRate: m.GetSampleRate(),
		DurationMs: m.GetDurationMs(), Markets: m.GetMarkets(), GainDb: m.GainDb, Peak: m.Peak, SeekSize: m.SeekSize, TakenDown: m.GetTakenDown(),
	}, nil
}
