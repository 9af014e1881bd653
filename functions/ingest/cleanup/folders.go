package cleanup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/images"
)

// audioPrefix is where the folders of attempts are.
const audioPrefix = "audio/"

// folder is what lies under one prefix that ends in a slash.
type folder struct {
	name    string
	objects []*storage.ObjectAttrs
}

// old says whether nothing was written into the folder since a time.
func (f folder) old(before time.Time) bool {
	for _, o := range f.objects {
		if !o.Created.Before(before) {
			return false
		}
	}
	return true
}

// remove deletes the objects in the generations that were listed. One that was
// written anew since then stays: somebody is about to need it.
func (f folder) remove(ctx context.Context, bucket *storage.BucketHandle) (bool, error) {
	all := true
	for _, o := range f.objects {
		err := bucket.Object(o.Name).If(storage.Conditions{GenerationMatch: o.Generation}).Delete(ctx)
		refused := (*googleapi.Error)(nil)
		switch {
		case errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed:
			all = false
		case err != nil && !errors.Is(err, storage.ErrObjectNotExist):
			return false, fmt.Errorf("delete %s: %w", o.Name, err)
		}
	}
	slog.InfoContext(ctx, "objects that nothing leads to", "bucket", bucket.BucketName(), "folder", f.name, "objects", len(f.objects), "all_removed", all)
	return all, nil
}

// list reads up to n whole folders behind a position; next is "" at the end. What
// lies in no folder is none of ours and is passed over.
func list(ctx context.Context, bucket *storage.BucketHandle, prefix, after string, n int) (all []folder, next string, err error) {
	q := &storage.Query{Prefix: prefix}
	if after != "" {
		// All names in the folder come before this one: 0 follows the slash.
		q.StartOffset = strings.TrimSuffix(after, "/") + "0"
	}
	for objects := bucket.Objects(ctx, q); ; {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return all, "", nil
		}
		if err != nil {
			return nil, after, fmt.Errorf("list bucket %s: %w", bucket.BucketName(), err)
		}
		id, _, inside := strings.Cut(o.Name[len(prefix):], "/")
		if !inside {
			continue
		}
		name := prefix + id + "/"
		if last := len(all) - 1; last >= 0 && all[last].name == name {
			all[last].objects = append(all[last].objects, o)
			continue
		}
		if len(all) == n {
			return all, all[n-1].name, nil
		}
		all = append(all, folder{name, []*storage.ObjectAttrs{o}})
	}
}

// source is an index in which a row names a folder.
type source struct{ table, index, column string }

// unnamed is a page of a walk through a bucket: it removes the folders that are
// old and that no row of the sources names by key.
func (d Deps) unnamed(ctx context.Context, bucket *storage.BucketHandle, prefix, after string, before time.Time, key func(folder) string, sources ...source) (next string, n int, err error) {
	all, next, err := list(ctx, bucket, prefix, after, d.size())
	if err != nil {
		return after, 0, err
	}
	candidates := map[string]folder{}
	var keys []spanner.KeySet
	for _, f := range all {
		if f.old(before) {
			candidates[key(f)] = f
			keys = append(keys, spanner.Key{key(f)}.AsPrefix())
		}
	}
	if len(keys) == 0 {
		return next, 0, nil
	}
	// Only now, after the objects: of a later moment than theirs.
	for _, s := range sources {
		err := d.Spanner.Single().ReadUsingIndex(ctx, s.table, s.index, spanner.KeySets(keys...), []string{s.column}).Do(func(r *spanner.Row) error {
			var name spanner.NullString
			err := r.Columns(&name)
			delete(candidates, name.StringVal)
			return err
		})
		if err != nil {
			return after, 0, fmt.Errorf("read %s: %w", s.index, err)
		}
	}
	n, err = d.removeAll(ctx, bucket, candidates)
	if errors.Is(err, errEmpty) {
		return after, 0, err
	}
	return next, n, err
}

// errEmpty keeps what a database leads to that has lost its rows, or is another.
var errEmpty = errors.New("there is no upload at all: is it the right database, and is it complete?")

// removeAll removes what no row was found for.
func (d Deps) removeAll(ctx context.Context, bucket *storage.BucketHandle, folders map[string]folder) (int, error) {
	if len(folders) == 0 {
		return 0, nil
	}
	// Nothing comes into a bucket but by an upload, and rows of uploads stay.
	uploads := 0
	err := d.Spanner.Single().ReadWithOptions(ctx, "Uploads", spanner.AllKeys(), []string{"UploadId"}, &spanner.ReadOptions{Limit: 1}).Do(
		func(*spanner.Row) error { uploads++; return nil })
	switch {
	case err != nil:
		return 0, fmt.Errorf("look for an upload: %w", err)
	case uploads == 0:
		return 0, fmt.Errorf("nothing of bucket %s is removed: %w", bucket.BucketName(), errEmpty)
	}
	return each(ctx, slices.Collect(maps.Values(folders)), func(ctx context.Context, f folder) (bool, error) { return f.remove(ctx, bucket) })
}

// folders removes what attempts left whose rows are gone.
func (d Deps) folders(ctx context.Context, now time.Time, after string) (string, int, error) {
	return d.unnamed(ctx, d.Audio, audioPrefix, after, now.Add(-idle), func(f folder) string { return f.name },
		source{"RenditionAttempts", "RenditionAttemptsByFolder", "Folder"}, source{"Renditions", "RenditionsByFolder", "Folder"})
}

// images removes the pictures that no album and no upload has.
func (d Deps) images(ctx context.Context, now time.Time, after string) (string, int, error) {
	id := func(f folder) string { return strings.TrimSuffix(strings.TrimPrefix(f.name, images.Prefix), "/") }
	return d.unnamed(ctx, d.Images, images.Prefix, after, now.Add(-images.Unnamed), id,
		source{"Albums", "AlbumsByCover", "CoverId"}, source{"Uploads", "UploadsByImage", "ImageId"})
}
