package spanner

import (
	"context"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// BeginTransaction gives the transaction a session of its own.
func (p *proxy) BeginTransaction(ctx context.Context, q *spannerpb.BeginTransactionRequest) (*spannerpb.Transaction, error) {
	l, err := p.lease(ctx, q.Session, &spannerpb.TransactionSelector{
		Selector: &spannerpb.TransactionSelector_Begin{Begin: q.Options},
	})
	if err != nil {
		return nil, err
	}
	if l.of != nil {
		q.MutationKey = nil // only a multiplexed session takes one
	}
	q.Session = l.session
	x, err := p.upstream.BeginTransaction(ctx, q)
	l.began(ctx, x.GetId())
	l.done(ctx, err)
	return x, err
}

// Commit commits a transaction, or aborts it if it is this one's turn.
func (p *proxy) Commit(ctx context.Context, q *spannerpb.CommitRequest) (*spannerpb.CommitResponse, error) {
	id := q.GetTransactionId()
	l, err := p.lease(ctx, q.Session, selectorOf(id))
	if err != nil {
		return p.commitEnded(q.Session, id, err)
	}
	if l.of != nil {
		q.PrecommitToken = nil // only a multiplexed session takes one
	}
	q.Session = l.session
	if p.unlucky() && p.abort(ctx, l, id) {
		err := errAborted("the transaction was aborted on purpose: run it again")
		l.done(ctx, err)
		return nil, err
	}
	r, err := p.upstream.Commit(ctx, q)
	if err == nil && l.tx != nil {
		l.of.end(l.tx, &ending{commit: r}, false)
	}
	l.done(ctx, err)
	return r, err
}

// commitEnded answers a commit that is sent again because its answer was lost.
func (p *proxy) commitEnded(session string, id []byte, err error) (*spannerpb.CommitResponse, error) {
	m := p.find(session)
	if m == nil {
		return nil, err
	}
	if how := m.ending(string(id)); how != nil && how.commit != nil {
		return how.commit, nil
	}
	return nil, err
}

// abort rolls the transaction back, so that its locks are free. If that fails,
// as it does for a committed one, the transaction was not aborted.
func (p *proxy) abort(ctx context.Context, l *lease, id []byte) bool {
	if id == nil {
		return true // a single-use transaction exists only as it commits
	}
	ctx, cancel := cleanup(ctx)
	defer cancel()
	_, err := p.own.Rollback(ctx, &spannerpb.RollbackRequest{Session: l.session, TransactionId: id})
	return err == nil
}

func (p *proxy) unlucky() bool {
	p.randMu.Lock()
	defer p.randMu.Unlock()
	return p.rand() < p.abortRate
}

// Rollback ends a transaction. As in Spanner it succeeds for one that was aborted
// or that is not found.
func (p *proxy) Rollback(ctx context.Context, q *spannerpb.RollbackRequest) (*emptypb.Empty, error) {
	l, err := p.lease(ctx, q.Session, selectorOf(q.TransactionId))
	switch status.Code(err) {
	case codes.OK:
	case codes.Aborted, codes.NotFound:
		return &emptypb.Empty{}, nil
	default:
		return nil, err
	}
	q.Session = l.session
	r, err := p.upstream.Rollback(ctx, q)
	if l.tx != nil {
		l.of.end(l.tx, nil, err != nil)
	}
	l.done(ctx, err)
	return r, err
}

// selectorOf selects an open transaction, or none.
func selectorOf(id []byte) *spannerpb.TransactionSelector {
	if id == nil {
		return nil
	}
	return &spannerpb.TransactionSelector{Selector: &spannerpb.TransactionSelector_Id{Id: id}}
}
