package spanner

import (
	"context"
	"errors"
	"io"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// source is the emulator's side of a stream of results, sink the client's.
type (
	source interface {
		Recv() (*spannerpb.PartialResultSet, error)
	}
	sink interface {
		Send(*spannerpb.PartialResultSet) error
		Context() context.Context
	}
)

// forward copies the stream and ends the lease with it. The transaction that the
// first result names is mapped before the client sees its id.
func (l *lease) forward(up source, client sink) error {
	ctx := client.Context()
	for {
		r, err := up.Recv()
		if errors.Is(err, io.EOF) {
			l.done(ctx, nil)
			return nil
		}
		if err != nil {
			l.done(ctx, err)
			return err
		}
		l.began(ctx, r.GetMetadata().GetTransaction().GetId())
		if err := client.Send(r); err != nil {
			l.done(ctx, status.Error(codes.Canceled, "the client went away"))
			return err
		}
	}
}
