package render

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// cacheControl lets everybody keep an object for good: its name changes with its
// content.
const cacheControl = "public, max-age=31536000, immutable"

var contentTypes = map[string]string{images.JPEG: "image/jpeg", images.WebP: "image/webp"}

// Store makes a picture's sizes and writes them to the images bucket; what is
// there already is neither made nor written again. Die anywhere in here, or
// before a row refers to them, and the bucket holds objects that nothing leads
// to; the same picture, sent again, completes and finds them.
func Store(ctx context.Context, bucket *storage.BucketHandle, b []byte) (images.Image, error) {
	p, err := check(b)
	if err != nil {
		return images.Image{}, err
	}
	there, err := stored(ctx, bucket, p.Image)
	if err != nil {
		return images.Image{}, err
	}
	complete := true
	for _, name := range p.Objects() {
		complete = complete && there[name]
	}
	if complete {
		return p.Image, nil
	}
	m, err := p.decode(ctx)
	if err != nil {
		return images.Image{}, err
	}
	all := p.scale(m)
	for i, s := range p.Sizes() {
		m := all[i]
		b, err := encodeJPEG(m)
		if err != nil {
			return images.Image{}, fmt.Errorf("encode a JPEG of %d × %d px: %w", s.Width, s.Height, err)
		}
		w, err := ffmpeg.WebP(ctx, rgb(m), s.Width, s.Height)
		if err != nil {
			return images.Image{}, err
		}
		g, gctx := errgroup.WithContext(ctx)
		for format, content := range map[string][]byte{images.JPEG: b, images.WebP: w} {
			g.Go(func() error { return write(gctx, bucket, p.Object(s, format), contentTypes[format], content) })
		}
		if err := g.Wait(); err != nil {
			return images.Image{}, err
		}
	}
	return p.Image, nil
}

// stored are the names of the picture's objects that are there.
func stored(ctx context.Context, bucket *storage.BucketHandle, i images.Image) (map[string]bool, error) {
	there := map[string]bool{}
	prefix := images.Prefix + i.ID + "/"
	for objects := bucket.Objects(ctx, &storage.Query{Prefix: prefix}); ; {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return there, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		there[o.Name] = true
	}
}

// write creates an object; one that is there is of the same picture.
func write(ctx context.Context, bucket *storage.BucketHandle, name, contentType string, content []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // an upload that is not closed is dropped whole
	w := bucket.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType, w.CacheControl = contentType, cacheControl
	_, err := w.Write(content)
	if err == nil {
		err = w.Close()
	}
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
