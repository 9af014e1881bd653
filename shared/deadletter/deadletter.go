// Package deadletter is what is known of messages that no delivery got done: how
// they are kept, until an operator has seen to the cause and replays them. Who
// stores them is functions/ops/deadletter, who replays them scripts/dlq.
//
// A message's data is kept as it is, since a replay must be the same message:
// events name rows and objects, never keys, tokens or signed URLs. Errors quote
// what clients quote, and are kept without it (event.Redact).
package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/telemetry"
)

// Letter is a dead letter as it is kept.
type Letter struct {
	event.DeadLetter
	ID         string
	Error      string    // of its last failed delivery; "": unknown
	FailedAt   time.Time // when that was
	TraceID    string    // leads to the logs; "": unknown
	UploadID   string    // whose upload waits for it; "": nobody's
	FirstSeen  time.Time
	ReplayedAt time.Time // zero: it waits for an operator
}

// Keep stores what arrived on the dead-letter topic, once, however often and how
// many times at once it is delivered. It says whether this was the first time.
func Keep(ctx context.Context, client *spanner.Client, d event.DeadLetter, uploadID string) (l Letter, first bool, err error) {
	l = Letter{DeadLetter: d, ID: d.ID(), UploadID: uploadID}
	attributes, err := json.Marshal(d.Attributes)
	if err != nil {
		return l, false, fmt.Errorf("attributes: %w", err)
	}
	_, err = client.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		_, err := tx.ReadRow(ctx, "DeadLetters", spanner.Key{l.ID}, []string{"DeadLetterId"})
		if first = spanner.ErrCode(err) == codes.NotFound; !first {
			return err
		}
		why, err := event.FailureOf(ctx, tx, d)
		if err != nil {
			return err
		}
		l.Error, l.FailedAt, l.TraceID = why.Error, why.At, why.TraceID
		if t, ok := telemetry.ParseTraceparent(d.Trace); l.TraceID == "" && ok {
			l.TraceID = t.ID
		}
		return tx.BufferWrite([]*spanner.Mutation{l.insert(string(attributes))})
	})
	if err != nil {
		return l, false, fmt.Errorf("store dead letter %s: %w", l.ID, err)
	}
	return l, first, nil
}

func (l *Letter) insert(attributes string) *spanner.Mutation {
	data := l.Data
	if data == nil {
		data = []byte{}
	}
	at := func(t time.Time) spanner.NullTime { return spanner.NullTime{Time: t, Valid: !t.IsZero()} }
	null := func(s string) spanner.NullString { return spanner.NullString{StringVal: s, Valid: s != ""} }
	return spanner.InsertMap("DeadLetters", map[string]any{
		"DeadLetterId": l.ID, "Function": l.Function, "Topic": l.Topic, "Subscription": l.Subscription, "MessageId": l.MessageID,
		"EventId": l.EventID, "Data": data, "Attributes": attributes,
		"DeliveryCount": spanner.NullInt64{Int64: l.DeliveryCount, Valid: l.DeliveryCount > 0},
		"Error":         l.Error, "FailedAt": at(l.FailedAt), "TraceId": l.TraceID, "PublishedAt": at(l.Published),
		"UploadId": null(l.UploadID), "ReplayOf": null(l.ReplayOf), "FirstSeen": spanner.CommitTimestamp,
	})
}

// Replayed records that a letter was published again. Die before, and it waits
// still, though its message is on its way: it may be replayed twice, which
// consumers of events know, and is never forgotten.
func Replayed(ctx context.Context, client *spanner.Client, id string) error {
	_, err := client.Apply(ctx, []*spanner.Mutation{spanner.Update("DeadLetters",
		[]string{"DeadLetterId", "ReplayedAt"}, []any{id, spanner.CommitTimestamp})})
	if err != nil {
		return fmt.Errorf("record the replay of dead letter %s: %w", id, err)
	}
	return nil
}

// missing is Read's for an id that is nobody's.
func missing(id string) error { return errs.New(errs.NotFound, "there is no dead letter %s", id) }
