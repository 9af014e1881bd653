package spanner

import (
	"context"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// cleanupLimit bounds calls that go on after their client's call has ended.
const cleanupLimit = 5 * time.Second

// DeleteSession also deletes the sessions behind a multiplexed one, and with
// them the transactions that are still open.
func (p *proxy) DeleteSession(ctx context.Context, q *spannerpb.DeleteSessionRequest) (*emptypb.Empty, error) {
	p.mu.Lock()
	m := p.multiplexed[q.Name]
	delete(p.multiplexed, q.Name)
	p.mu.Unlock()
	if m != nil {
		p.discard(ctx, m.close())
		return &emptypb.Empty{}, nil
	}
	// A session that cannot be reset is not there: the emulator knows best.
	_ = p.reset(ctx, q.Name)
	return p.upstream.DeleteSession(ctx, q)
}

// discard deletes sessions of the emulator, open transactions included.
func (p *proxy) discard(ctx context.Context, sessions []string) {
	for _, s := range sessions {
		p.delete(ctx, s)
	}
}

func (p *proxy) delete(ctx context.Context, session string) {
	if p.reset(ctx, session) != nil {
		return // it has gone, or the emulator has
	}
	ctx, cancel := cleanup(ctx)
	defer cancel()
	// A session that stays is one that the emulator forgets within the hour.
	_, _ = p.own.DeleteSession(ctx, &spannerpb.DeleteSessionRequest{Name: session})
}

// reset ends whatever transaction is open on a session, known or not, and frees
// its locks: the emulator ends the older ones when a newer one is used. No
// session may be deleted without it, since the emulator does not free the locks
// of a deleted session and crashes when the next transaction meets them.
func (p *proxy) reset(ctx context.Context, session string) error {
	ctx, cancel := cleanup(ctx)
	defer cancel()
	x, err := p.own.BeginTransaction(ctx, &spannerpb.BeginTransactionRequest{
		Session: session, Options: readWriteOptions(),
	})
	if err != nil {
		return err
	}
	_, err = p.own.Rollback(ctx, &spannerpb.RollbackRequest{Session: session, TransactionId: x.Id})
	return err
}

// cleanup is the context of a call that must not end with its client's.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
}
