package playback

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/shared/telemetry"
)

// Access is what Redis knows about who may play what, all of it asked in one
// round trip. Redis has what changed lately; where it says nothing, or is away,
// the token's claims and the rendition's row decide.
type Access struct {
	Redis *redis.Client
	Now   func() time.Time
}

// remember is how long Redis has a change: longer than any access token lasts,
// and than the catalogue cache can be behind. Later ones are made of the change.
const remember = 24 * time.Hour

// Products of an account.
const (
	Free    = "free"
	Premium = "premium"
)

// Entitlement is what an account's subscription allows. Of two, that of the
// later epoch holds.
type Entitlement struct {
	Product string `json:"product"`
	Epoch   int64  `json:"epoch"`
}

// Question is one press of play, or a prefetch before it.
type Question struct {
	Account  string
	SignIn   string   // the token's session
	Session  *Session // the playback session, if the client began one
	Track    string
	Prefetch bool
}

// Answers are of a Question, once the pipe was executed.
type Answers struct {
	entitlement *redis.StringCmd
	takedown    *redis.StringCmd
	session     *redis.Cmd // nil: it has none
	prefetch    bool
}

// Ask has pipe ask a question.
func (a *Access) Ask(ctx context.Context, pipe redis.Pipeliner, q Question) *Answers {
	return &Answers{
		entitlement: pipe.Get(ctx, entitlementKey(q.Account)),
		takedown:    pipe.Get(ctx, takedownKey(q.Track)),
		session:     a.touch(ctx, pipe, q, alone),
		prefetch:    q.Prefetch,
	}
}

// State is what may be relied upon.
type State struct {
	Product   string // of the account
	TakenDown bool
	Displaced bool // the account plays elsewhere
	Begins    bool // it is to Begin in the place of another, once all else is right
}

// State reads the answers; claimed is the token's product.
func (a *Answers) State(ctx context.Context, claimed string) State {
	s := State{Product: claimed}
	e, source := a.product(ctx)
	if e != nil {
		s.Product = e.Product
	}
	telemetry.Count(ctx, "segue.playback.entitlements", "source", source)
	if text, err := a.takedown.Result(); err == nil {
		s.TakenDown = saysDown(text)
	}
	n := said(ctx, a.session)
	s.Displaced, s.Begins = n == displaced, n == waiting && !a.prefetch
	return s
}

// The sources of an entitlement, as the metric names them.
const (
	fromRedis     = "redis"
	fromClaims    = "claims"     // Redis knows of no change
	withoutRedis  = "redis_away" // Redis did not say
	notUnderstood = "invalid"
)

func (a *Answers) product(ctx context.Context) (*Entitlement, string) {
	text, err := a.entitlement.Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, fromClaims
	case err != nil:
		return nil, withoutRedis
	}
	var e Entitlement
	if err := json.Unmarshal([]byte(text), &e); err != nil || (e.Product != Free && e.Product != Premium) {
		slog.ErrorContext(ctx, "entitlement is not read", "error", err)
		return nil, notUnderstood
	}
	return &e, fromRedis
}

// lost tells a Redis that is away from one that answers with an error.
func lost(err error) bool {
	var said redis.Error
	return err != nil && !errors.As(err, &said)
}

func entitlementKey(account string) string { return "entitlement:" + account }
func takedownKey(track string) string      { return "takedown:" + track }
