package deadletter

import (
	"context"
	"log/slog"
	"strings"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
)

// Keep stores a dead letter in one transaction. Die before its commit, and the
// letter comes again; die after, and it comes again and is found there. The log
// tells of each letter at least once: the line is written before the letter is
// acknowledged, and once more where the process died in between.
func Keep(ctx context.Context, d event.DeadLetter, client *spanner.Client) error {
	l, first, err := deadletter.Keep(ctx, client, d, uploadOf(d))
	if err != nil {
		return err
	}
	// An error, which is what alerts look for.
	slog.ErrorContext(ctx, "dead letter", "id", l.ID, "function", known(l.Function), "topic", known(l.Topic), "error", known(l.Error),
		"subscription", l.Subscription, "event_id", l.EventID, "deliveries", l.DeliveryCount, "upload", l.UploadID,
		"replay_of", l.ReplayOf, "failed_trace", l.TraceID, "again", !first)
	return nil
}

func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// uploadOf is the upload that waits for what the message asks for; "" if none
// does, or if the message cannot be read.
func uploadOf(d event.DeadLetter) string {
	upload := ""
	m, err := event.Decode(d.Topic, d.Data)
	if of, ok := m.(interface{ GetUploadId() string }); err == nil && ok {
		upload = of.GetUploadId()
	}
	if object, ok := strings.CutPrefix(d.Attributes["objectId"], ingest.Prefix); ok && upload == "" {
		upload = object // a bucket's notification
	}
	if !id.Valid(upload) {
		return ""
	}
	return upload
}
