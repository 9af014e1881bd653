package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/playback"
)

// Deps are what Transcode works with.
type Deps struct {
	Writer  *event.Writer
	Keys    *playback.Wrapper
	Cipher  playback.Scheme
	Now     func() time.Time
	NewID   id.Source
	Uploads *storage.BucketHandle
	Audio   *storage.BucketHandle

	renew time.Duration // of the lease; 0: leaseRenew
}

// Transcode makes the rendition that m asks for. Die where it may:
//
//	after the attempt's row     the lease runs out, a retry takes a new folder and key
//	after some objects          the same; publish deletes the folder of the dead attempt
//	after the row is complete   the outbox holds the event, the relay publishes it
//	after the upload failed     the next delivery removes what was made of it
//
// Delivered again, or twice at once, it does nothing where a complete attempt
// exists, and asks to be delivered later where another is at work.
func Transcode(ctx context.Context, m *eventpb.TranscodeRequested, d Deps) error {
	a, key, err := d.begin(ctx, m)
	switch {
	case err != nil:
		return err
	case a == nil:
		return d.discardFailed(ctx, m)
	}
	crash.Point("transcode:leased")
	leased, stop := d.keepLease(ctx, a)
	defer stop()
	if err := d.work(leased, m, a, key); err != nil {
		stop()
		d.abandon(ctx, a)
		var file *ffmpeg.ErrFile
		if errors.As(err, &file) {
			// The probe decoded this file to its end, but an encoder refuses it.
			err = ingest.FailTrack(ctx, d.Writer.Spanner, d.Audio, m.GetUploadId(), m.GetGeneration(),
				fmt.Sprintf("it cannot be encoded as %s: %s", a.Rendition, file.Reason), d.Now())
			if err == nil {
				err = d.discardFailed(ctx, m) // the attempt may not have gone
			}
		}
		return err
	}
	crash.Point("transcode:objects-written")
	return d.complete(ctx, m, a)
}

func (d Deps) work(ctx context.Context, m *eventpb.TranscodeRequested, a *ingest.Attempt, key []byte) error {
	dir, err := os.MkdirTemp("", "transcode-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, encoded := filepath.Join(dir, "source"), filepath.Join(dir, "encoded")
	if err := ingest.Download(ctx, d.Uploads, m.GetObject(), m.GetGeneration(), source, nil); err != nil {
		return err
	}
	if err := ffmpeg.Encode(ctx, source, encoded, a.Rendition); err != nil {
		return err
	}
	e, err := ffmpeg.Measure(ctx, encoded)
	if err != nil {
		return err
	}
	if err := ingest.CheckLength("rendition "+a.String(), e.Samples, m.GetSourceSamples(), int64(m.GetSourceSampleRate())); err != nil {
		return err
	}
	total := ffmpeg.TotalSamples(m.GetSourceSamples(), int64(m.GetSourceSampleRate()))
	a.HeadSize, a.Delay, a.TotalSamples, a.SampleRate = e.HeadSize, e.Delay, total, ffmpeg.SampleRate
	seek, err := ffmpeg.SeekTable(encoded, a.Format)
	if err != nil {
		return err
	}
	return d.store(ctx, a, encoded, key, seek.Bytes())
}

// store encrypts the file into the attempt's folder and writes what goes with it.
func (d Deps) store(ctx context.Context, a *ingest.Attempt, file string, key, seek []byte) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var sealed *playback.Sealer
	err = d.put(ctx, a.Folder+playback.DataObject, func(w *storage.Writer) error {
		// Another try writes the same bytes: no other file has this key.
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if sealed, err = playback.NewSealer(w, key); err != nil {
			return err
		}
		if _, err := sealed.ReadFrom(f); err != nil {
			return err
		}
		return sealed.Close()
	})
	if err != nil {
		return err
	}
	crash.Point("transcode:data-written")
	sum := sealed.Sum()
	a.Size, a.Sha256, a.SeekSize = sealed.Size(), sum[:], int64(len(seek))
	if err := d.putSmall(ctx, a.Folder+playback.HashesObject, sealed.Hashes()); err != nil {
		return err
	}
	crash.Point("transcode:hashes-written")
	return d.putSmall(ctx, a.Folder+playback.SeekObject, seek)
}

func (d Deps) putSmall(ctx context.Context, name string, content []byte) error {
	return d.put(ctx, name, func(w *storage.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// discardFailed removes what was made of an upload that has failed: whoever
// recorded that may have died before. An attempt at the rendition whose lease
// lasts is this event's to remove, when its work died too; nobody else asks.
func (d Deps) discardFailed(ctx context.Context, m *eventpb.TranscodeRequested) error {
	atWork, err := ingest.DiscardFailed(ctx, d.Writer.Spanner, d.Audio, m.GetUploadId(), d.Now())
	for _, a := range atWork {
		if string(a.Format) == m.GetFormat() && int32(a.Bitrate) == m.GetBitrate() {
			return errLeased
		}
	}
	return err
}
