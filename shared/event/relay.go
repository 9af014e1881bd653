package event

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/crash"
)

// relayPage is how many messages are read and published together: some
// kilobytes each at most.
const relayPage = 200

// Relay publishes what was written before the given time and is still in the
// outbox, and says how many messages that were. What cannot be published stays,
// and holds up nothing behind it. Die where it may, and the next run finds what
// is left: before a page is published, all of it; before what was published is
// deleted, that too, and it is published again, under the same ids.
func (w *Writer) Relay(ctx context.Context, before time.Time) (int, error) {
	total := 0
	var first error
	for messages, err := range w.pending(ctx, before) {
		if err != nil {
			return total, errors.Join(first, fmt.Errorf("read the outbox: %w", err))
		}
		crash.Point("relay:read")
		sent, err := w.Publisher.Publish(ctx, messages...)
		if err != nil && first == nil {
			first = err
		}
		if len(sent) == 0 {
			continue
		}
		crash.Point("relay:published")
		if err := w.forget(ctx, sent); err != nil {
			return total, errors.Join(first, fmt.Errorf("clear the outbox: %w", err))
		}
		total += len(sent)
	}
	return total, first
}

// pending reads the outbox up to a time, a page after the other, past what is
// left in it.
func (w *Writer) pending(ctx context.Context, before time.Time) iter.Seq2[[]Message, error] {
	// Whole minutes: a row of the minute that before falls in is younger.
	end := before.Truncate(time.Minute)
	return func(yield func([]Message, error) bool) {
		for shard := range int64(shards) {
			rest := spanner.KeyRange{Start: spanner.Key{shard}, End: spanner.Key{shard, end}, Kind: spanner.ClosedOpen}
			for {
				page, err := w.page(ctx, rest)
				if err != nil {
					yield(nil, err)
					return
				}
				if len(page) == 0 {
					break
				}
				if !yield(page, nil) {
					return
				}
				rest.Start, rest.Kind = page[len(page)-1].key(), spanner.OpenOpen
			}
		}
	}
}

func (w *Writer) page(ctx context.Context, keys spanner.KeyRange) ([]Message, error) {
	rows := w.Spanner.Single().ReadWithOptions(ctx, "Outbox", keys,
		[]string{"EventId", "Topic", "Data", "Traceparent", "CreatedAt"}, &spanner.ReadOptions{Limit: relayPage})
	var messages []Message
	err := rows.Do(func(r *spanner.Row) error {
		var m Message
		err := r.Columns(&m.ID, &m.Topic, &m.Data, &m.Trace, &m.Time)
		messages = append(messages, m)
		return err
	})
	return messages, err
}
