package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// list gives the objects of a bucket by name.
func list(ctx context.Context, bucket *storage.BucketHandle, prefix string) (map[string]*storage.ObjectAttrs, error) {
	all := map[string]*storage.ObjectAttrs{}
	for objects := bucket.Objects(ctx, &storage.Query{Prefix: prefix}); ; {
		o, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", bucket.BucketName(), err)
		}
		all[o.Name] = o
	}
}

// made is a rendition or a complete attempt: rows that speak of objects.
type made struct {
	key       spanner.Key // of the attempt
	folder    string
	size      int64
	seek      int64 // size of its table; 0: it has none
	published bool
}

// whole says whether the objects that the row speaks of are there.
func (m made) whole(objects map[string]*storage.ObjectAttrs) bool {
	data, hashes := objects[m.folder+playback.DataObject], objects[m.folder+playback.HashesObject]
	if data == nil || hashes == nil || data.Size != m.size {
		return false
	}
	seek := objects[m.folder+playback.SeekObject]
	return m.seek == 0 || seek != nil && seek.Size == m.seek
}

// madeRows reads both kinds. An attempt that is published appears as such.
func madeRows(ctx context.Context, client *spanner.Client) ([]made, error) {
	sql := `SELECT a.TrackId, a.Format, a.Bitrate, a.AttemptId, a.Folder, IFNULL(a.Size, 0), IFNULL(a.SeekSize, 0), r.AttemptId IS NOT NULL
FROM RenditionAttempts AS a LEFT JOIN Renditions AS r
ON r.TrackId = a.TrackId AND r.Format = a.Format AND r.Bitrate = a.Bitrate AND r.AttemptId = a.AttemptId
WHERE a.State = '` + ingest.Complete + `'`
	var all []made
	err := client.Single().Query(ctx, spanner.NewStatement(sql)).Do(func(row *spanner.Row) error {
		var m made
		var track, format, attempt string
		var bitrate int64
		err := row.Columns(&track, &format, &bitrate, &attempt, &m.folder, &m.size, &m.seek, &m.published)
		m.key = spanner.Key{track, format, bitrate, attempt}
		all = append(all, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the renditions: %w", err)
	}
	return all, nil
}

// checkObjects holds the restored rows against the bucket. What is published
// and gone is refused by name, rather than found by a listener. A complete
// attempt that lost, or whose upload failed after the snapshot, may have been
// removed since, objects and row: its row goes again, and it is made anew if it
// is still wanted.
func checkObjects(ctx context.Context, client *spanner.Client, audio *storage.BucketHandle, log io.Writer) error {
	rows, err := madeRows(ctx, client)
	if err != nil || len(rows) == 0 {
		return err
	}
	objects, err := list(ctx, audio, "")
	if err != nil {
		return err
	}
	var lost []string
	var gone []*spanner.Mutation
	for _, m := range rows {
		switch {
		case m.whole(objects):
		case m.published:
			lost = append(lost, fmt.Sprintf("%s of track %v", m.folder+playback.DataObject, m.key[0]))
		default:
			gone = append(gone, spanner.Delete("RenditionAttempts", m.key))
			fmt.Fprintf(log, "attempt %v: its objects were removed after the snapshot, it is forgotten too\n", m.key[3])
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d restored renditions have lost their objects in bucket %s, whole or in part: %s", len(lost), audio.BucketName(), strings.Join(lost[:min(len(lost), 5)], ", "))
	}
	if _, err := client.Apply(ctx, gone, spanner.ApplyAtLeastOnce()); len(gone) > 0 && err != nil {
		return fmt.Errorf("forget attempts without objects: %w", err)
	}
	return nil
}
