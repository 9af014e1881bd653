package spanner

import (
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc/status"
)

// BatchWrite commits groups of mutations, each a transaction of its own; the
// emulator does not implement it. No group is aborted here, since clients do not
// retry them.
func (p *proxy) BatchWrite(q *spannerpb.BatchWriteRequest, client spannerpb.Spanner_BatchWriteServer) error {
	ctx := client.Context()
	l, err := p.lease(ctx, q.Session, nil)
	if err != nil {
		return err
	}
	defer func() { l.done(ctx, err) }()
	for i, g := range q.MutationGroups {
		var r *spannerpb.CommitResponse
		r, err = p.own.Commit(ctx, &spannerpb.CommitRequest{
			Session: l.session, Mutations: g.Mutations,
			Transaction: &spannerpb.CommitRequest_SingleUseTransaction{SingleUseTransaction: readWriteOptions()},
		})
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
		if err := client.Send(&spannerpb.BatchWriteResponse{
			Indexes: []int32{int32(i)}, Status: status.Convert(err).Proto(), CommitTimestamp: r.GetCommitTimestamp(),
		}); err != nil {
			return err
		}
	}
	return nil
}

func readWriteOptions() *spannerpb.TransactionOptions {
	return &spannerpb.TransactionOptions{Mode: &spannerpb.TransactionOptions_ReadWrite_{
		ReadWrite: &spannerpb.TransactionOptions_ReadWrite{},
	}}
}
