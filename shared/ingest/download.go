package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// Download copies one generation of an object into a file, and to also if that
// is not nil. The bytes are those that are stored: what an object says of its
// encoding is its sender's word, and could make them thousands of times as many.
// An object that is gone is the upload's fault: it cannot come back.
func Download(ctx context.Context, bucket *storage.BucketHandle, object string, generation int64, file string, also io.Writer) error {
	r, err := bucket.Object(object).Generation(generation).ReadCompressed(true).NewReader(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return &ffmpeg.ErrFile{Reason: "the uploaded file is gone"}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", object, err)
	}
	defer r.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var w io.Writer = f
	if also != nil {
		w = io.MultiWriter(f, also)
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("download %s: %w", object, err)
	}
	return f.Close()
}
