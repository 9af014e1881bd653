package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/images/render"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ffmpeg"
)

// tagCover makes the images of the picture in the file's tags. One that cannot
// be used is left out, with a warning: the sound is what was uploaded. The
// images are written before the transaction that refers to them: die in between,
// and nothing leads to them until the next delivery finds them there.
func (d Deps) tagCover(ctx context.Context, path string, f *file) error {
	b, size, err := ffmpeg.Picture(ctx, path, images.MaxBytes)
	if err == nil && size == 0 {
		return nil
	}
	if err == nil && size > images.MaxBytes {
		err = render.TooLarge(size)
	}
	if err == nil {
		f.cover, err = render.Store(ctx, d.Images, b, d.Writer.Now())
	}
	if err == nil {
		crash.Point("probe:cover-stored")
	}
	reason, bad := render.Failed(err)
	if unread := (*ffmpeg.ErrFile)(nil); errors.As(err, &unread) {
		reason, bad = "it cannot be read: "+unread.Reason, true
	}
	if !bad {
		return err
	}
	warning := "the embedded cover was left out: " + reason
	slog.WarnContext(ctx, warning)
	f.warnings = append(f.warnings, warning)
	return nil
}

// cover gives the draft the picture that its request names, or else the one of
// its tags. The picture was stored when it was named.
func cover(ctx context.Context, tx *spanner.ReadWriteTransaction, u *ingest.Upload, f file, draft *catalog.Draft) error {
	draft.Cover, draft.CoverFrom = f.cover, catalog.CoverFromTags
	if u.Metadata.Cover == "" {
		return nil
	}
	named, err := ingest.Read(ctx, tx, u.Metadata.Cover)
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		return err
	}
	if err != nil || named.LabelID != u.LabelID || named.Status != ingest.Stored {
		u.Warnings = append(u.Warnings, fmt.Sprintf("the cover was left out: upload %s is gone", u.Metadata.Cover))
		return nil
	}
	draft.Cover, draft.CoverFrom = named.Image, catalog.CoverFromRequest
	return nil
}

// changed tells of an album that was there and looks different now. Of a new
// one, publish tells.
func changed(a catalog.Added) []proto.Message {
	if !a.CoverChanged {
		return nil
	}
	return []proto.Message{&eventpb.CatalogChanged{Kind: "album", Id: a.Album}}
}

// picture accepts or refuses the upload of a picture: its images first, then the
// row that refers to them. Delivered again, it finds the upload settled.
func (d Deps) picture(ctx context.Context, u *ingest.Upload, generation int64) error {
	b, err := d.readPicture(ctx, u, generation)
	var image images.Image
	if err == nil {
		image, err = render.Store(ctx, d.Images, b, d.Writer.Now())
	}
	if reason, bad := render.Failed(err); bad {
		return ingest.Fail(ctx, d.Writer.Spanner, u.ID, generation, "not a picture that can be used: "+reason)
	}
	if gone := (*ffmpeg.ErrFile)(nil); errors.As(err, &gone) {
		return ingest.Fail(ctx, d.Writer.Spanner, u.ID, generation, gone.Reason)
	}
	if err != nil {
		return err
	}
	crash.Point("probe:picture-stored")
	_, err = d.Writer.Spanner.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		u, err := ingest.Read(ctx, tx, u.ID)
		if err != nil || u.Status != ingest.Waiting {
			return err
		}
		u.Status, u.Generation, u.Image = ingest.Stored, generation, image
		return tx.BufferWrite([]*spanner.Mutation{u.Update()})
	})
	if err != nil {
		return fmt.Errorf("accept picture %s: %w", u.ID, err)
	}
	return nil
}

func (d Deps) readPicture(ctx context.Context, u *ingest.Upload, generation int64) ([]byte, error) {
	r, err := d.Uploads.Object(u.Object).Generation(generation).ReadCompressed(true).NewReader(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil, refuse("the uploaded file is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u.Object, err)
	}
	defer r.Close()
	switch {
	case r.Attrs.Size != u.Size:
		return nil, refuse("the file has %d bytes, but %d were announced", r.Attrs.Size, u.Size)
	case r.Attrs.Size > images.MaxBytes:
		return nil, render.TooLarge(r.Attrs.Size)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u.Object, err)
	}
	return b, nil
}
