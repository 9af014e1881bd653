package render

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

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
// there already, and young enough to stay until a row refers to it, is neither
// made nor written again. Die anywhere in here, or before a row refers to them,
// and the bucket holds objects that nothing leads to; the same picture, sent
// again, completes and finds them, or the clean-up removes them after a day.
func Store(ctx context.Context, bucket *storage.BucketHandle, b []byte, now time.Time) (images.Image, error) {
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
		complete = complete && young(there[name], now)
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
			name := p.Object(s, format)
			g.Go(func() error { return write(gctx, bucket, name, contentTypes[format], content, there[name], now) })
		}
		if err := g.Wait(); err != nil {
			return images.Image{}, err
		}
	}
	return p.Image, nil
}

// young says whether an object is there and will be, until a row names it.
func young(o *storage.ObjectAttrs, now time.Time) bool {
	return o != nil && now.Sub(o.Created) < images.Unnamed/2
}

// stored are the picture's objects that are there, by name.
func stored(ctx context.Context, bucket *storage.BucketHandle, i images.Image) (map[string]*storage.ObjectAttrs, error) {
	there := map[string]*storage.ObjectAttrs{}
	prefix := images.Prefix + i.ID + "/"
	for objects := bucket.Objects(ctx, &storage.Query{Prefix: prefix}); ; {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return there, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		there[o.Name] = o
	}
}

// write makes an object that will stay of one that is missing or old. The clean-up
// removes a generation that it has seen, so what is written here it leaves alone.
func write(ctx context.Context, bucket *storage.BucketHandle, name, contentType string, content []byte, live *storage.ObjectAttrs, now time.Time) error {
	for !young(live, now) {
		only := storage.Conditions{DoesNotExist: true}
		if live != nil {
			only = storage.Conditions{GenerationMatch: live.Generation}
		}
		err := put(ctx, bucket.Object(name).If(only), contentType, content)
		if err == nil {
			return nil
		}
		if refused := (*googleapi.Error)(nil); !errors.As(err, &refused) || refused.Code != http.StatusPreconditionFailed {
			return fmt.Errorf("write %s: %w", name, err)
		}
		// Somebody was first: another with the same picture, or the clean-up.
		live, err = bucket.Object(name).Attrs(ctx)
		if errors.Is(err, storage.ErrObjectNotExist) {
			live, err = nil, nil
		}
		if err != nil {
			return fmt.Errorf("look up %s: %w", name, err)
		}
	}
	return nil
}

func put(ctx context.Context, object *storage.ObjectHandle, contentType string, content []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // an upload that is not closed is dropped whole
	w := object.NewWriter(ctx)
	w.ContentType, w.CacheControl = contentType, cacheControl
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}
