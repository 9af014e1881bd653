package ingest

import (
	"context"
	"encoding/json"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/images"
)

var uploadColumns = []string{
	"UploadId", "LabelId", "Object", "Generation", "Filename", "ContentType", "Size", "AllowDuplicate", "Metadata",
	"Status", "Reason", "TrackId", "DuplicateOf", "ExpiresAt", "Traceparent",
	"ImageId", "ImageWidth", "ImageHeight", "Warnings",
}

// reader is a transaction or a single read.
type reader interface {
	ReadRow(ctx context.Context, table string, key spanner.Key, columns []string) (*spanner.Row, error)
}

// Read reads an upload by its id.
func Read(ctx context.Context, r reader, id string) (*Upload, error) {
	row, err := r.ReadRow(ctx, "Uploads", spanner.Key{id}, uploadColumns)
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, errs.New(errs.NotFound, "there is no upload %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read upload %s: %w", id, err)
	}
	var (
		u                  Upload
		generation         spanner.NullInt64
		track, duplicateOf spanner.NullString
		traceparent        spanner.NullString
		metadata           string
		image              spanner.NullString
		width, height      spanner.NullInt64
	)
	err = row.Columns(&u.ID, &u.LabelID, &u.Object, &generation, &u.Filename, &u.ContentType, &u.Size, &u.AllowDuplicate,
		&metadata, (*string)(&u.Status), &u.Reason, &track, &duplicateOf, &u.ExpiresAt, &traceparent,
		&image, &width, &height, &u.Warnings)
	if err != nil {
		return nil, fmt.Errorf("read upload %s: %w", id, err)
	}
	u.Generation, u.TrackID, u.DuplicateOf, u.Trace = generation.Int64, track.StringVal, duplicateOf.StringVal, traceparent.StringVal
	u.Image = images.Image{ID: image.StringVal, Width: width.Int64, Height: height.Int64}
	if err := json.Unmarshal([]byte(metadata), &u.Metadata); err != nil {
		return nil, fmt.Errorf("metadata of upload %s: %w", id, err)
	}
	return &u, nil
}

// Insert writes a new upload.
func (u *Upload) Insert() (*spanner.Mutation, error) {
	metadata, err := json.Marshal(u.Metadata)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return spanner.InsertMap("Uploads", map[string]any{
		"UploadId": u.ID, "LabelId": u.LabelID, "Object": u.Object, "Filename": u.Filename, "ContentType": u.ContentType,
		"Size": u.Size, "AllowDuplicate": u.AllowDuplicate, "Metadata": string(metadata), "Status": string(Waiting),
		"Reason": "", "ExpiresAt": u.ExpiresAt, "Traceparent": spanner.NullString{StringVal: u.Trace, Valid: u.Trace != ""}, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	}), nil
}

// Update writes what changes of an upload: status, reason, track, generation,
// image, warnings.
func (u *Upload) Update() *spanner.Mutation {
	null := func(s string) spanner.NullString { return spanner.NullString{StringVal: s, Valid: s != ""} }
	size := func(n int64) spanner.NullInt64 { return spanner.NullInt64{Int64: n, Valid: u.Image.ID != ""} }
	return spanner.UpdateMap("Uploads", map[string]any{
		"ImageId": null(u.Image.ID), "ImageWidth": size(u.Image.Width), "ImageHeight": size(u.Image.Height), "Warnings": u.Warnings,
		"UploadId": u.ID, "Status": string(u.Status), "Reason": u.Reason, "TrackId": null(u.TrackID), "DuplicateOf": null(u.DuplicateOf),
		"Generation": spanner.NullInt64{Int64: u.Generation, Valid: u.Generation != 0}, "UpdatedAt": spanner.CommitTimestamp,
	})
}

// Settled says whether the upload has come to an end.
func (u *Upload) Settled() bool {
	return u.Status == Playable || u.Status == Failed || u.Status == Duplicate || u.Status == Stored
}

// Fail ends an upload, and its track if it has one, for a reason that its label
// can read. An upload that is already settled stays as it is.
func Fail(ctx context.Context, client *spanner.Client, id string, generation int64, reason string) error {
	_, err := client.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		u, err := Read(ctx, tx, id)
		if err != nil {
			return err
		}
		if u.Settled() || (u.Generation != 0 && u.Generation != generation) {
			return nil
		}
		u.Status, u.Reason, u.Generation = Failed, reason, generation
		rows := []*spanner.Mutation{u.Update()}
		if u.TrackID != "" {
			rows = append(rows, spanner.UpdateMap("Tracks", map[string]any{
				"TrackId": u.TrackID, "State": catalog.StateFailed, "UpdatedAt": spanner.CommitTimestamp,
			}))
			others, err := deceived(ctx, tx, u)
			if err != nil {
				return err
			}
			rows = append(rows, others...)
		}
		return tx.BufferWrite(rows)
	})
	if err != nil {
		return fmt.Errorf("record that upload %s failed: %w", id, err)
	}
	return nil
}

// deceived fails the uploads that were taken for duplicates of a track that has
// failed now: their files may be good, and nothing was made of them.
func deceived(ctx context.Context, tx *spanner.ReadWriteTransaction, failed *Upload) (rows []*spanner.Mutation, err error) {
	reason := fmt.Sprintf("it is a duplicate of track %s, which failed since: %s; upload it again", failed.TrackID, failed.Reason)
	err = tx.ReadUsingIndex(ctx, "Uploads", "UploadsByDuplicateOf", spanner.Key{failed.TrackID}.AsPrefix(), []string{"UploadId"}).Do(func(r *spanner.Row) error {
		var id string
		err := r.Columns(&id)
		rows = append(rows, spanner.UpdateMap("Uploads", map[string]any{
			"UploadId": id, "Status": string(Failed), "Reason": reason, "DuplicateOf": spanner.NullString{}, "UpdatedAt": spanner.CommitTimestamp,
		}))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for duplicates of track %s: %w", failed.TrackID, err)
	}
	return rows, nil
}
