package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// lengthTolerance is how many samples what is made of a file may differ from
// what its own samples make: 50 ms, since an AAC file's last frame is padded.
const lengthTolerance = ffmpeg.SampleRate / 20

// CheckLength compares the samples of something that was made of a file, at the
// renditions' rate, with those that the probe counted in it.
func CheckLength(what string, samples, sourceSamples, sourceRate int64) error {
	if sourceRate <= 0 {
		return fmt.Errorf("%s: its source has a sample rate of %d", what, sourceRate)
	}
	total := ffmpeg.TotalSamples(sourceSamples, sourceRate)
	if off := samples - total; off > lengthTolerance || off < -lengthTolerance {
		return fmt.Errorf("%s has %d samples, its source makes %d", what, samples, total)
	}
	return nil
}

// FailTrack is Fail for an upload whose track is being made: it also removes the
// renditions that the track has already. Die in between, or fail to remove one,
// and the next delivery, which finds a failed upload, calls DiscardFailed.
func FailTrack(ctx context.Context, client *spanner.Client, audio *storage.BucketHandle, upload string, generation int64, reason string, now time.Time) error {
	if err := Fail(ctx, client, upload, generation, reason); err != nil {
		return err
	}
	crash.Point("failure:recorded")
	_, err := DiscardFailed(ctx, client, audio, upload, now)
	return err
}

// DiscardFailed removes the renditions of an upload that failed with its track;
// of any other it removes none. No new ones are begun after the failure. Those
// that are still being made remove themselves: they are returned, since whoever
// makes them may be dead.
func DiscardFailed(ctx context.Context, client *spanner.Client, audio *storage.BucketHandle, upload string, now time.Time) (atWork []*Attempt, err error) {
	u, err := Read(ctx, client.Single(), upload)
	if err != nil || u.Status != Failed || u.TrackID == "" {
		return nil, err
	}
	attempts, err := Attempts(ctx, client.Single(), u.TrackID)
	if err != nil {
		return nil, err
	}
	unwanted := Unwanted(attempts, nil, now)
	for _, a := range unwanted {
		if err := a.Discard(ctx, client, audio); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(attempts, func(a *Attempt) bool { return slices.Contains(unwanted, a) }), nil
}
