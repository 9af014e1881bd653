package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/playback"
)

// States of an attempt at a rendition.
const (
	Leased   = "leased"   // somebody is at work, until the lease ends
	Complete = "complete" // all objects are written
	Removing = "removing" // the clean-up has taken it; whoever is at work is too late
)

// Attempt is one try at making a rendition. Its folder and its key belong to it
// alone: a retry takes new ones, so that no two files ever share a key and no
// object lies under another attempt's key.
type Attempt struct {
	TrackID string
	playback.Rendition
	ID          string
	State       string
	LeaseUntil  time.Time
	Folder      string
	Cipher      playback.Scheme
	WrappedKey  []byte
	CompletedAt time.Time

	// What is known when it is complete.
	Size, HeadSize, Delay, TotalSamples, SampleRate int64
	SeekSize                                        int64 // 0: it has no seek table
	Sha256                                          []byte
}

// Key is the attempt's primary key.
func (a *Attempt) Key() spanner.Key {
	return spanner.Key{a.TrackID, string(a.Format), int64(a.Bitrate), a.ID}
}

// Binding is what the attempt's key is wrapped for.
func (a *Attempt) Binding() playback.Binding {
	return playback.Binding{TrackID: a.TrackID, Format: a.Format, Bitrate: a.Bitrate, AttemptID: a.ID}
}

var attemptColumns = []string{
	"Format", "Bitrate", "AttemptId", "State", "LeaseUntil", "Folder", "Cipher", "WrappedKey", "CompletedAt",
	"Size", "HeadSize", "EncoderDelay", "TotalSamples", "SampleRate", "Sha256", "SeekSize",
}

type ranger interface {
	Read(ctx context.Context, table string, keys spanner.KeySet, columns []string) *spanner.RowIterator
}

// Attempts reads the attempts at a track's renditions, or at one of them.
func Attempts(ctx context.Context, r ranger, prefix ...any) ([]*Attempt, error) {
	track, ok := prefix[0].(string)
	if !ok {
		return nil, errors.New("attempts are read by their track")
	}
	var all []*Attempt
	err := r.Read(ctx, "RenditionAttempts", spanner.Key(prefix).AsPrefix(), attemptColumns).Do(func(row *spanner.Row) error {
		a := &Attempt{TrackID: track}
		var bitrate int64
		var completed spanner.NullTime
		var size, head, delay, samples, rate, seek spanner.NullInt64
		if err := row.Columns((*string)(&a.Format), &bitrate, &a.ID, &a.State, &a.LeaseUntil, &a.Folder, (*string)(&a.Cipher),
			&a.WrappedKey, &completed, &size, &head, &delay, &samples, &rate, &a.Sha256, &seek); err != nil {
			return err
		}
		a.Bitrate, a.CompletedAt = playback.Quality(bitrate), completed.Time
		a.Size, a.HeadSize, a.Delay, a.TotalSamples, a.SampleRate = size.Int64, head.Int64, delay.Int64, samples.Int64, rate.Int64
		a.SeekSize = seek.Int64
		all = append(all, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read attempts of track %s: %w", track, err)
	}
	return all, nil
}

// Unwanted are the attempts that nobody will play, given the ids of those that
// are played. Those still at work are not among them: they remove themselves
// when they find that they are not wanted.
func Unwanted(attempts []*Attempt, live map[string]bool, now time.Time) []*Attempt {
	var all []*Attempt
	for _, a := range attempts {
		atWork := a.State == Leased && a.LeaseUntil.After(now)
		if !live[a.ID] && !atWork {
			all = append(all, a)
		}
	}
	return all
}

// Discard removes an attempt that nobody will play: its objects first, then its
// row, so that a death in between leaves a row that leads to the objects.
func (a *Attempt) Discard(ctx context.Context, client *spanner.Client, bucket *storage.BucketHandle) error {
	objects := bucket.Objects(ctx, &storage.Query{Prefix: a.Folder})
	for {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", a.Folder, err)
		}
		if err := bucket.Object(o.Name).Delete(ctx); err != nil && !errors.Is(err, storage.ErrObjectNotExist) {
			return fmt.Errorf("delete %s: %w", o.Name, err)
		}
	}
	crash.Point("discard:objects-removed")
	if _, err := client.Apply(ctx, []*spanner.Mutation{spanner.Delete("RenditionAttempts", a.Key())}); err != nil {
		return fmt.Errorf("delete attempt %s: %w", a.ID, err)
	}
	return nil
}
