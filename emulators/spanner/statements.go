package spanner

import (
	"context"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc/status"
)

// ExecuteSql runs one statement on its transaction's session.
func (p *proxy) ExecuteSql(ctx context.Context, q *spannerpb.ExecuteSqlRequest) (*spannerpb.ResultSet, error) {
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return nil, err
	}
	q.Session, l.executed = l.session, true
	r, err := p.upstream.ExecuteSql(ctx, q)
	l.began(ctx, r.GetMetadata().GetTransaction().GetId())
	l.done(ctx, err)
	return r, err
}

// Read reads rows on its transaction's session.
func (p *proxy) Read(ctx context.Context, q *spannerpb.ReadRequest) (*spannerpb.ResultSet, error) {
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return nil, err
	}
	q.Session = l.session
	r, err := p.upstream.Read(ctx, q)
	l.began(ctx, r.GetMetadata().GetTransaction().GetId())
	l.done(ctx, err)
	return r, err
}

// ExecuteBatchDml runs statements on their transaction's session.
func (p *proxy) ExecuteBatchDml(ctx context.Context, q *spannerpb.ExecuteBatchDmlRequest) (*spannerpb.ExecuteBatchDmlResponse, error) {
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return nil, err
	}
	q.Session = l.session
	r, err := p.upstream.ExecuteBatchDml(ctx, q)
	for _, s := range r.GetResultSets() {
		l.began(ctx, s.GetMetadata().GetTransaction().GetId())
	}
	ended := err
	if err == nil {
		// The failure of a statement is part of a successful answer.
		ended = status.FromProto(r.GetStatus()).Err()
	}
	l.done(ctx, ended)
	return r, err
}

// PartitionQuery partitions a query of a read-only transaction.
func (p *proxy) PartitionQuery(ctx context.Context, q *spannerpb.PartitionQueryRequest) (*spannerpb.PartitionResponse, error) {
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return nil, err
	}
	q.Session = l.session
	r, err := p.upstream.PartitionQuery(ctx, q)
	l.began(ctx, r.GetTransaction().GetId())
	l.done(ctx, err)
	return r, err
}

// PartitionRead partitions a read of a read-only transaction.
func (p *proxy) PartitionRead(ctx context.Context, q *spannerpb.PartitionReadRequest) (*spannerpb.PartitionResponse, error) {
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return nil, err
	}
	q.Session = l.session
	r, err := p.upstream.PartitionRead(ctx, q)
	l.began(ctx, r.GetTransaction().GetId())
	l.done(ctx, err)
	return r, err
}

// ExecuteStreamingSql is ExecuteSql in parts.
func (p *proxy) ExecuteStreamingSql(q *spannerpb.ExecuteSqlRequest, client spannerpb.Spanner_ExecuteStreamingSqlServer) error {
	ctx := client.Context()
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return err
	}
	q.Session, l.executed = l.session, true
	up, err := p.upstream.ExecuteStreamingSql(ctx, q)
	if err != nil {
		l.done(ctx, err)
		return err
	}
	return l.forward(up, client)
}

// StreamingRead is Read in parts.
func (p *proxy) StreamingRead(q *spannerpb.ReadRequest, client spannerpb.Spanner_StreamingReadServer) error {
	ctx := client.Context()
	l, err := p.lease(ctx, q.Session, q.Transaction)
	if err != nil {
		return err
	}
	q.Session = l.session
	up, err := p.upstream.StreamingRead(ctx, q)
	if err != nil {
		l.done(ctx, err)
		return err
	}
	return l.forward(up, client)
}
