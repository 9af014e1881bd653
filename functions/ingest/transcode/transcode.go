package transcode

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
	for _, o := range []struct {
		name    string
		content []byte
	}{{playback.HashesObject, sealed.Hashes()}, {playback.SeekObject, seek}} {
		if err := d.put(ctx, a.Folder+o.name, func(w *storage.Writer) error {
			_, err := w.Write(o.content)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// put writes one object that must not exist yet, whole or not at all.
func (d Deps) put(ctx context.Context, name string, write func(*storage.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before Close, this abandons the object
	w := d.Audio.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType = "application/octet-stream"
	// One request that streams: the file is on disk, a retry starts over anyway.
	w.ChunkSize = 0
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
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

// abandon removes what a failed attempt left, so that a retry need not wait for
// its lease. When that fails too, the lease runs out by itself.
func (d Deps) abandon(ctx context.Context, a *ingest.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := a.Discard(ctx, d.Writer.Spanner, d.Audio); err != nil {
		slog.WarnContext(ctx, "a failed attempt is left to publish", "attempt", a.ID, "error", err)
	}
}
