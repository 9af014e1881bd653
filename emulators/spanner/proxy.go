package spanner

import (
	"context"
	"sync"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
)

// proxy is Spanner's session API in front of the emulator. The methods that it
// lacks pass through as they are, and so do calls on ordinary sessions.
type proxy struct {
	spannerpb.UnimplementedSpannerServer

	// upstream calls for the client, own for the proxy itself.
	upstream, own spannerpb.SpannerClient
	abortRate     float64

	randMu sync.Mutex
	rand   func() float64

	limits limits
	now    func() time.Time

	mu          sync.RWMutex
	multiplexed map[string]*multiplexed
}

// multiplexed is a session that carries any number of transactions.
type multiplexed struct {
	*table
	session  *spannerpb.Session
	database string
}

func newProxy(cc *grpc.ClientConn, o Options) *proxy {
	return &proxy{
		upstream: spannerpb.NewSpannerClient(relay{cc}), own: spannerpb.NewSpannerClient(cc),
		abortRate: o.AbortRate, rand: o.Rand,
		limits: defaultLimits(), now: time.Now, multiplexed: map[string]*multiplexed{},
	}
}

func newServer(cc *grpc.ClientConn, p *proxy) *grpc.Server {
	s := grpc.NewServer(
		grpc.ForceServerCodecV2(codec{}), grpc.UnknownServiceHandler(relay{cc}.passThrough),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		// A call may wait long for its turn here, and shared/gcp asks after it.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}))
	spannerpb.RegisterSpannerServer(s, p)
	return s
}

func (p *proxy) find(session string) *multiplexed {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.multiplexed[session]
}

// CreateSession creates an ordinary session in the emulator. A multiplexed one
// takes its name, and uses it for its first transaction. Clients do not delete
// theirs, so this is also when those that idle let go of what they hold.
func (p *proxy) CreateSession(ctx context.Context, q *spannerpb.CreateSessionRequest) (*spannerpb.Session, error) {
	wanted := q.GetSession().GetMultiplexed()
	if wanted {
		q.Session.Multiplexed = false
	}
	s, err := p.upstream.CreateSession(ctx, q)
	if err != nil || !wanted {
		return s, err
	}
	s.Multiplexed = true
	m := &multiplexed{table: newTable(p.limits, p.now), session: s, database: q.Database}
	m.give(s.Name)
	var idle []string
	p.mu.Lock()
	for _, other := range p.multiplexed {
		idle = append(idle, other.evict()...)
	}
	p.multiplexed[s.Name] = m
	p.mu.Unlock()
	p.discard(ctx, idle)
	return proto.CloneOf(s), nil
}

// BatchCreateSessions passes through: it creates ordinary sessions only.
func (p *proxy) BatchCreateSessions(ctx context.Context, q *spannerpb.BatchCreateSessionsRequest) (*spannerpb.BatchCreateSessionsResponse, error) {
	return p.upstream.BatchCreateSessions(ctx, q)
}

// GetSession answers for a multiplexed session, which lives longer than the
// ordinary one it is named after.
func (p *proxy) GetSession(ctx context.Context, q *spannerpb.GetSessionRequest) (*spannerpb.Session, error) {
	if m := p.find(q.Name); m != nil {
		return proto.CloneOf(m.session), nil
	}
	return p.upstream.GetSession(ctx, q)
}

// ListSessions passes through: it shows the emulator's sessions.
func (p *proxy) ListSessions(ctx context.Context, q *spannerpb.ListSessionsRequest) (*spannerpb.ListSessionsResponse, error) {
	return p.upstream.ListSessions(ctx, q)
}
