package event

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/once"
	"github.com/segue-audio/segue/shared/telemetry"
)

// recordWithin is how long a failed delivery waits until its error is kept. The
// answer is the same whether it is or not.
const recordWithin = time.Second

// failures keeps why deliveries failed: Pub/Sub forwards a message to the
// dead-letter topic without a word about it.
type failures struct {
	client func() (*spanner.Client, error)
	within time.Duration
}

// recorder is for a function whose configuration names a database. It opens
// what the function itself has open.
func recorder(environment []string) *failures {
	if !slices.Contains(environment, "SEGUE_SPANNER_DATABASE") {
		return nil
	}
	return &failures{within: recordWithin, client: once.Value(func() (*spanner.Client, error) {
		c, err := config.Load[gcp.Config](context.Background())
		if err != nil {
			return nil, err
		}
		return gcp.For(c).Spanner()
	})}
}

// record keeps the error, if that can be done soon. Nothing of it reaches the
// caller: a Spanner that is away costs the wait, and the error is then in the
// logs alone, under the delivery's trace.
func (f *failures) record(ctx context.Context, function string, p published, cause error) {
	// The delivery may have failed because its own time was over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.within)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- f.write(ctx, function, p, cause)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done(): // also where the client is still being opened
		err = ctx.Err()
		select {
		case err = <-done:
		default:
		}
	}
	if err != nil {
		slog.WarnContext(ctx, "the error of a failed delivery is not kept", "function", function, "message_id", p.Message.MessageID, "error", err)
	}
}

func (f *failures) write(ctx context.Context, function string, p published, cause error) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	_, err = client.Apply(ctx, []*spanner.Mutation{spanner.InsertOrUpdateMap("DeliveryFailures", map[string]any{
		"DeliveryId": deliveryID(function+"."+p.topic, p.Message.Data, p.Message.Attributes), "Function": function,
		"Error": Redact(cause.Error()), "TraceId": telemetry.TraceOf(ctx).ID, "FailedAt": spanner.CommitTimestamp,
	})}, spanner.ApplyAtLeastOnce())
	return err
}

// Failure is why the last delivery of a message failed. Zero: nobody knows, as
// when its process was ended.
type Failure struct {
	Error   string
	TraceID string
	At      time.Time
}

// FailureOf looks up why a message died.
func FailureOf(ctx context.Context, tx interface {
	ReadRow(ctx context.Context, table string, key spanner.Key, columns []string) (*spanner.Row, error)
}, d DeadLetter,
) (f Failure, err error) {
	row, err := tx.ReadRow(ctx, "DeliveryFailures", spanner.Key{d.Delivery()}, []string{"Error", "TraceId", "FailedAt"})
	if spanner.ErrCode(err) == codes.NotFound {
		return f, nil
	}
	if err == nil {
		err = row.Columns(&f.Error, &f.TraceID, &f.At)
	}
	if err != nil {
		return f, fmt.Errorf("read why a delivery failed: %w", err)
	}
	return f, nil
}

// deliveryID names a message on its way to a subscription by what it is, since
// its id on the dead-letter topic is another. The subscription is named as the
// manifest does, after function and topic: the Functions Framework passes no
// subscription on.
func deliveryID(subscription string, data []byte, attributes map[string]string) string {
	return digest("delivery", subscription, "", data, without(attributes, attrPubSub))
}

// digest is an id that follows from its parts; each is preceded by its length.
func digest(kind, a, b string, data []byte, attributes map[string]string) string {
	h := sha256.New()
	part := func(s []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write(s)
	}
	for _, s := range []string{kind, a, b} {
		part([]byte(s))
	}
	part(data)
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		part([]byte(k))
		part([]byte(attributes[k]))
	}
	s, err := id.From(bytes.NewReader(h.Sum(nil)))
	if err != nil {
		panic(errors.Join(errors.New("a hash is too short"), err))
	}
	return s
}
