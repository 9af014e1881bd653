package spanner

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retryDelay is what a client waits before it retries an aborted transaction.
const retryDelay = 5 * time.Millisecond

// lease is a call's use of an ordinary session. Every lease ends with done.
type lease struct {
	proxy *proxy
	// of is nil on a session that was ordinary to begin with.
	of      *multiplexed
	session string
	// tx is the open transaction of the call, if it has one.
	tx *transaction
	// begins is set while the call may begin a transaction.
	begins bool
	kind   kind
	// executed is set once the call is known to run a statement, which is all
	// that a partitioned DML transaction is for.
	executed bool
}

// lease chooses the session for a call on the client's session.
func (p *proxy) lease(ctx context.Context, session string, sel *spannerpb.TransactionSelector) (*lease, error) {
	m := p.find(session)
	if m == nil {
		return &lease{proxy: p, session: session}, nil
	}
	if id := sel.GetId(); id != nil {
		x, how := m.use(string(id))
		if x != nil {
			return &lease{proxy: p, of: m, session: x.session, tx: x}, nil
		}
		return nil, errNotOpen(id, how)
	}
	l := &lease{proxy: p, of: m}
	if begin := sel.GetBegin(); begin != nil {
		l.begins, l.kind = true, kindOf(begin)
		// An ordinary session knows no other transaction.
		if rw := begin.GetReadWrite(); rw != nil {
			rw.MultiplexedSessionPreviousTransactionId = nil
		}
		// Before the call, which an abandoned transaction's locks would fail.
		p.discard(ctx, m.evict())
	}
	if l.session = m.take(); l.session != "" {
		return l, nil
	}
	s, err := p.own.CreateSession(ctx, &spannerpb.CreateSessionRequest{Database: m.database, Session: &spannerpb.Session{}})
	if err != nil {
		return nil, err
	}
	l.session = s.Name
	return l, nil
}

// began maps the transaction that the call began; it must come before the
// client learns the id. Without an id it does nothing.
func (l *lease) began(ctx context.Context, id []byte) {
	if l.of == nil || !l.begins || len(id) == 0 {
		return
	}
	l.begins = false
	var gone []string
	l.tx, gone = l.of.begin(string(id), l.session, l.kind)
	l.proxy.discard(ctx, gone)
}

// done ends the lease; err is how the emulator ended the call.
func (l *lease) done(ctx context.Context, err error) {
	if l.of == nil {
		return
	}
	if l.tx != nil {
		switch {
		case status.Code(err) == codes.Aborted:
			l.of.end(l.tx, &ending{}, false)
		case l.tx.kind == partitionedDML && l.executed && err == nil:
			l.of.end(l.tx, nil, false)
		}
		l.proxy.discard(ctx, l.of.done(l.tx))
		return
	}
	switch {
	case sessionGone(err):
	case l.begins && status.Code(err) != codes.Aborted:
		// The call may have begun a transaction that nobody knows the id of.
		if l.proxy.reset(ctx, l.session) == nil {
			l.proxy.discard(ctx, l.of.give(l.session))
		}
	default:
		// Also after an abort: the emulator favours the next transaction of a
		// session whose last one it aborted.
		l.proxy.discard(ctx, l.of.give(l.session))
	}
}

// sessionGone: the emulator forgets sessions, for example with their database.
func sessionGone(err error) bool {
	return status.Code(err) == codes.NotFound && strings.Contains(status.Convert(err).Message(), "Session not found")
}

func kindOf(o *spannerpb.TransactionOptions) kind {
	switch {
	case o.GetReadOnly() != nil:
		return readOnly
	case o.GetPartitionedDml() != nil:
		return partitionedDML
	default:
		return readWrite
	}
}

func errNotOpen(id []byte, how *ending) error {
	switch {
	case how == nil:
		return status.Errorf(codes.NotFound, "Transaction not found: %q", id)
	case how.commit != nil:
		return status.Errorf(codes.FailedPrecondition, "Transaction %q has already been committed", id)
	default:
		return errAborted("the transaction was aborted")
	}
}

// errAborted is the error that makes a client retry the transaction.
func errAborted(why string) error {
	st := status.New(codes.Aborted, why)
	detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}
