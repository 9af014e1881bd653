package probe

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
	"github.com/segue-audio/segue/shared/ingest/fingerprint"
)

// Deps are what Probe works with.
type Deps struct {
	Writer  *event.Writer
	Uploads *storage.BucketHandle
	Images  *storage.BucketHandle
	NewID   id.Source
}

// The priming and padding that containers count differently: up to two frames
// of an MP3, which are long at a low sample rate. A truncated file lacks more.
const (
	lengthTolerance  = 100 * time.Millisecond
	toleratedSamples = 2 * 1152
)

// Probe accepts or refuses the object that n tells of. Until its one
// transaction commits, nothing is written: die before, and the next delivery
// starts over; die after, and the outbox holds the requests. Delivered again,
// it finds the upload accepted and does nothing.
func Probe(ctx context.Context, n event.Finalized, d Deps) error {
	if n.Bucket != d.Uploads.BucketName() {
		// Ours is the mistake: the object would not be found, and its upload fail
		// for good.
		return fmt.Errorf("the notification is of bucket %s, but uploads are in %s", n.Bucket, d.Uploads.BucketName())
	}
	uploadID, ok := strings.CutPrefix(n.Object, ingest.Prefix)
	generation, err := strconv.ParseInt(n.Generation, 10, 64)
	if !ok || err != nil {
		slog.WarnContext(ctx, "an object that is no upload", "object", n.Object, "generation", n.Generation)
		return nil
	}
	u, err := ingest.Read(ctx, d.Writer.Spanner.Single(), uploadID)
	if errs.CodeOf(err) == errs.NotFound {
		slog.WarnContext(ctx, "an object of an upload that was never announced", "object", n.Object)
		return nil
	}
	if err != nil {
		return err
	}
	if u.Status != ingest.Waiting {
		return nil
	}
	if u.IsPicture() {
		return d.picture(ctx, u, generation)
	}
	f, err := d.examine(ctx, u, generation)
	var bad *ffmpeg.ErrFile
	switch {
	case errors.As(err, &bad):
		return ingest.Fail(ctx, d.Writer.Spanner, u.ID, generation, bad.Reason)
	case err != nil:
		return err
	}
	crash.Point("probe:examined")
	return d.accept(ctx, u.ID, generation, f)
}

// Origin is the trace of the request that announced the upload.
func Origin(ctx context.Context, n event.Finalized, d Deps) string {
	u, err := ingest.Read(ctx, d.Writer.Spanner.Single(), strings.TrimPrefix(n.Object, ingest.Prefix))
	if err != nil {
		return "" // Probe meets the same and tells
	}
	return u.Trace
}

// file is what examine finds out.
type file struct {
	ffmpeg.Info
	sha256  []byte
	samples int64
	print   fingerprint.Fingerprint
	cover   images.Image // of the tags; zero: none
	// warnings are what was left out.
	warnings []string
}

func (f file) length() time.Duration {
	return time.Duration(float64(f.samples) / float64(f.SampleRate) * float64(time.Second))
}

// examine downloads and decodes the file. *ffmpeg.ErrFile says what is wrong
// with it, in words for the label.
func (d Deps) examine(ctx context.Context, u *ingest.Upload, generation int64) (file, error) {
	var f file
	attrs, err := d.Uploads.Object(u.Object).Generation(generation).Attrs(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return f, &ffmpeg.ErrFile{Reason: "the uploaded file is gone"}
	}
	if err != nil {
		return f, fmt.Errorf("look up %s: %w", u.Object, err)
	}
	switch {
	case attrs.Size == 0:
		return f, refuse("the file is empty")
	case attrs.Size != u.Size:
		return f, refuse("the file has %d bytes, but %d were announced", attrs.Size, u.Size)
	case attrs.Size > ingest.MaxSize:
		return f, refuse("the file is larger than %d bytes", ingest.MaxSize)
	}
	dir, err := os.MkdirTemp("", "probe-*")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	path, sum := filepath.Join(dir, "upload"), sha256.New()
	if err := ingest.Download(ctx, d.Uploads, u.Object, generation, path, sum); err != nil {
		return f, err
	}
	f.sha256 = sum.Sum(nil)
	if err := f.decode(ctx, path); err != nil || u.Metadata.Cover != "" {
		return f, err
	}
	return f, d.tagCover(ctx, path, &f)
}

func (f *file) decode(ctx context.Context, path string) error {
	var err error
	var bad *ffmpeg.ErrFile
	if f.Info, err = ffmpeg.Inspect(ctx, path); errors.As(err, &bad) {
		return refuse("not audio of a kind that is accepted (FLAC, WAV, MP3, Ogg Vorbis, Opus, M4A): %s", bad.Reason)
	}
	if err != nil {
		return err
	}
	if f.Duration > ingest.MaxDuration {
		return refuse("the audio is longer than %s", ingest.MaxDuration)
	}
	var raw []byte
	if f.samples, raw, err = ffmpeg.Count(ctx, path); errors.As(err, &bad) {
		return refuse("the audio is corrupt or truncated: decoding stops after %s: %s", f.length().Round(time.Millisecond), bad.Reason)
	}
	if err != nil {
		return err
	}
	if f.print, err = fingerprint.Parse(raw); err != nil {
		return err
	}
	length := f.length()
	switch {
	case f.samples == 0:
		return refuse("the file has no audio in it")
	case length > ingest.MaxDuration:
		return refuse("the audio is longer than %s", ingest.MaxDuration)
	}
	return f.checkEnd(path, length)
}

// checkEnd refuses a file that decodes, but not to the end that it had.
func (f *file) checkEnd(path string, length time.Duration) error {
	tolerance := max(lengthTolerance, toleratedSamples*time.Second/time.Duration(f.SampleRate))
	if off := f.Duration - length; f.Duration > 0 && off.Abs() > tolerance {
		wrong := "truncated"
		if off < 0 {
			wrong = "damaged"
		}
		return refuse("the audio is %s: it is %s long, its container says %s", wrong, length.Round(time.Millisecond), f.Duration.Round(time.Millisecond))
	}
	if f.Container != "ogg" {
		return nil
	}
	err := ffmpeg.CheckOggEnd(path)
	if bad := new(ffmpeg.ErrFile); errors.As(err, &bad) {
		return refuse("the audio is truncated: %s", bad.Reason)
	}
	return err
}

func refuse(format string, args ...any) error {
	return &ffmpeg.ErrFile{Reason: fmt.Sprintf(format, args...)}
}
