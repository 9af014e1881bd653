package cleanup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
)

// never is the reason of an upload that ends without a file.
const never = "no file came before its upload URL expired; announce it again"

type waiting struct{ id, object string }

// waiting ends the uploads whose file did not come, a day after it could.
func (d Deps) waiting(ctx context.Context, now time.Time, after string) (next string, n int, err error) {
	var over []waiting
	seen := 0
	rows := d.Spanner.Single().ReadWithOptions(ctx, "Uploads", behind(after), []string{"UploadId", "Object", "Status", "ExpiresAt"}, &spanner.ReadOptions{Limit: d.size()})
	err = rows.Do(func(r *spanner.Row) error {
		var object, status string
		var expires time.Time
		err := r.Columns(&next, &object, &status, &expires)
		if ingest.Status(status) == ingest.Waiting && expires.Before(now.Add(-idle)) {
			over = append(over, waiting{next, object})
		}
		seen++
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read uploads: %w", err)
	}
	if seen < d.size() {
		next = ""
	}
	n, err = each(ctx, over, d.end)
	return next, n, err
}

// end fails an upload, unless its file has come: then somebody has it before him,
// or an operator has its dead letter. What is accepted in between is not failed,
// since Fail is for no generation.
func (d Deps) end(ctx context.Context, u waiting) (bool, error) {
	_, err := d.Uploads.Object(u.object).Attrs(ctx)
	switch {
	case err == nil:
		slog.WarnContext(ctx, "an upload's file has come, but nobody has looked at it yet", "upload", u.id)
		return false, nil
	case !errors.Is(err, storage.ErrObjectNotExist):
		return false, fmt.Errorf("look up %s: %w", u.object, err)
	}
	return true, ingest.Fail(ctx, d.Spanner, u.id, 0, never)
}

// files removes the files of uploads that came to nothing.
func (d Deps) files(ctx context.Context, now time.Time, after string) (next string, n int, err error) {
	before := now.Add(-settled)
	candidates := map[string]folder{}
	var keys []spanner.KeySet
	seen := 0
	q := &storage.Query{Prefix: ingest.Prefix}
	if after != "" {
		q.StartOffset = after + "\x01" // the next name that there can be
	}
	for objects := d.Uploads.Objects(ctx, q); seen < d.size(); seen++ {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			next = ""
			break
		}
		if err != nil {
			return after, 0, fmt.Errorf("list bucket %s: %w", d.Uploads.BucketName(), err)
		}
		next = o.Name
		if upload := strings.TrimPrefix(o.Name, ingest.Prefix); id.Valid(upload) && o.Created.Before(before) {
			candidates[upload] = folder{o.Name, []*storage.ObjectAttrs{o}}
			keys = append(keys, spanner.Key{upload})
		}
	}
	if len(keys) == 0 {
		return next, 0, nil
	}
	err = d.Spanner.Single().Read(ctx, "Uploads", spanner.KeySets(keys...), []string{"UploadId", "Status", "UpdatedAt"}).Do(func(r *spanner.Row) error {
		var upload, status string
		var updated time.Time
		err := r.Columns(&upload, &status, &updated)
		nothing := ingest.Status(status) == ingest.Failed || ingest.Status(status) == ingest.Duplicate
		if !nothing || !updated.Before(before) {
			delete(candidates, upload)
		}
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("read uploads: %w", err)
	}
	n, err = d.removeAll(ctx, d.Uploads, candidates)
	if errors.Is(err, errEmpty) {
		return after, 0, err
	}
	return next, n, err
}
