package ingest

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
)

// What could not be done, by the topic that asked for it.
var delays = map[string]string{
	"upload-finalized":    "the file has arrived, but could not be looked at",
	"transcode-requested": "a rendition could not be made",
	"analysis-requested":  "the sound could not be measured",
	"rendition-ready":     "the track could not be published",
	"track-analyzed":      "the track could not be published",
}

// Delayed says in words why an upload does not go on, when one of its events is
// a dead letter that waits for an operator, and "" when it goes on. It is read
// from the letters themselves: a replay ends the delay with nothing to undo.
func Delayed(ctx context.Context, r interface {
	ReadUsingIndex(ctx context.Context, table, index string, keys spanner.KeySet, columns []string) *spanner.RowIterator
}, upload string,
) (reason string, err error) {
	err = r.ReadUsingIndex(ctx, "DeadLetters", "DeadLettersByUpload", spanner.Key{upload}.AsPrefix(), []string{"Topic", "ReplayedAt"}).Do(func(row *spanner.Row) error {
		var topic string
		var replayed spanner.NullTime
		if err := row.Columns(&topic, &replayed); err != nil || replayed.Valid {
			return err
		}
		what, ok := delays[topic]
		if !ok {
			what = "a step could not be done"
		}
		reason = "delayed: " + what + "; it will be tried again by an operator"
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look for what delays upload %s: %w", upload, err)
	}
	return reason, nil
}
