package probe

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/fingerprint"
)

// duplicate sets what the upload is a duplicate of, and why: a track of the very
// same file, or else of the same recording. Only the label's own tracks are
// looked at: others' are neither compared nor revealed. What is read is locked,
// so that of two uploads at once one is the other's duplicate.
func duplicate(ctx context.Context, tx *spanner.ReadWriteTransaction, u *ingest.Upload, f file, draft catalog.Draft) (err error) {
	what := "file is"
	u.DuplicateOf, err = sameFile(ctx, tx, u.LabelID, f.sha256)
	if err == nil && u.DuplicateOf == "" {
		what = "recording, in another file, is"
		u.DuplicateOf, err = fingerprint.Find(ctx, tx, u.LabelID, fingerprint.Recording{
			Fingerprint: f.print, Length: f.length(), ISRC: draft.ISRC, Explicit: draft.Explicit,
		})
	}
	if err != nil {
		return fmt.Errorf("look for duplicates: %w", err)
	}
	if u.DuplicateOf != "" {
		u.Reason = fmt.Sprintf("the same %s track %s; send allow_duplicate to add it again", what, u.DuplicateOf)
	}
	return nil
}

func sameFile(ctx context.Context, tx *spanner.ReadWriteTransaction, label string, sha256 []byte) (string, error) {
	var found string
	err := tx.ReadUsingIndex(ctx, "Tracks", "TracksBySource", spanner.Key{label, sha256}.AsPrefix(), []string{"TrackId", "State"}).Do(func(r *spanner.Row) error {
		var id, state string
		if err := r.Columns(&id, &state); err != nil {
			return err
		}
		if found == "" && state != catalog.StateFailed {
			found = id
		}
		return nil
	})
	return found, err
}
