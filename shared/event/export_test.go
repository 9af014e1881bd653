package event

import (
	"context"
	"time"

	"cloud.google.com/go/spanner"
)

// What tests see of the outbox; they are of another package, since emutest
// imports this one.

const Shards = shards

// WithPatience is the context of an event function.
func WithPatience(ctx context.Context) context.Context { return withPatience(ctx) }

func (m Message) Key() spanner.Key          { return m.key() }
func (m Message) Insert() *spanner.Mutation { return m.insert() }

func (w *Writer) Pending(ctx context.Context, before time.Time) (all []Message, err error) {
	for page, err := range w.pending(ctx, before) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}
