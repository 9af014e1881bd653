package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/limit"
)

// AuthConfig says whose access tokens are good.
type AuthConfig struct {
	Issuer   string `env:"SEGUE_TOKEN_ISSUER, required"`
	Audience string `env:"SEGUE_TOKEN_AUDIENCE, required"`
	JWKSURL  string `env:"SEGUE_JWKS_URL, required"`
	// TrustForwarded: X-Forwarded-Proto and -Host come from our load balancer.
	TrustForwarded bool `env:"SEGUE_TRUST_FORWARDED"`
	// Redis has who may do how much, and whose sign-in has ended.
	Redis  gcp.RedisConfig
	Limits limit.Config
}

// Caller is who a verified access token speaks for.
type Caller struct {
	Subject  string
	ClientID string
	Session  string
	Epoch    int64
	Scopes   []string
	Product  string // free or premium
	Market   string // ISO 3166-1 alpha-2
}

type claims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Session  string `json:"sid"`
	Epoch    int64  `json:"epoch"`
	Scope    string `json:"scope"`
	Product  string `json:"product"`
	Market   string `json:"market"`
}

// leeway allows for clocks that differ between issuer and verifier.
const leeway = 10 * time.Second

// Verifier checks access tokens locally: JWTs of RFC 9068, signed with ES256.
type Verifier struct {
	config AuthConfig
	keys   *keySet
	now    func() time.Time
}

// NewVerifier makes a verifier; it fetches the issuer's keys when first needed.
func NewVerifier(c AuthConfig, client *http.Client, now func() time.Time) *Verifier {
	return &Verifier{config: c, now: now, keys: &keySet{url: c.JWKSURL, client: client, now: now}}
}

// Verify reads the Authorization header.
func (v *Verifier) Verify(ctx context.Context, h http.Header) (Caller, error) {
	raw := h.Get("Authorization")
	if raw == "" {
		return Caller{}, errs.New(errs.Unauthenticated, "no access token: send Authorization: Bearer and a token")
	}
	scheme, token, ok := strings.Cut(raw, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Caller{}, errs.New(errs.Unauthenticated, "the Authorization header is not a bearer token")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(parsed.Headers) != 1 {
		return Caller{}, invalid(err, "it is not a JWT signed with ES256")
	}
	// An ID token is signed by the same issuer, but its typ is JWT.
	typ, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string)
	if !strings.EqualFold(typ, "at+jwt") && !strings.EqualFold(typ, "application/at+jwt") {
		return Caller{}, invalid(nil, "its typ is not at+jwt")
	}
	key, err := v.keys.key(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return Caller{}, err
	}
	var c claims
	if err := parsed.Claims(key.Key, &c); err != nil {
		return Caller{}, invalid(err, "its signature is wrong")
	}
	if err := v.check(c); err != nil {
		return Caller{}, err
	}
	return Caller{
		Subject: c.Subject, ClientID: c.ClientID, Session: c.Session, Epoch: c.Epoch,
		Scopes: strings.Fields(c.Scope), Product: c.Product, Market: c.Market,
	}, nil
}

func (v *Verifier) check(c claims) error {
	if c.Expiry == nil {
		return invalid(nil, "it has no expiry")
	}
	err := c.ValidateWithLeeway(jwt.Expected{
		Issuer: v.config.Issuer, AnyAudience: jwt.Audience{v.config.Audience}, Time: v.now(),
	}, leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return errs.New(errs.Unauthenticated, "The access token expired")
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return invalid(err, "it is from another issuer")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return invalid(err, "it is meant for another audience")
	case err != nil:
		return invalid(err, "its claims do not hold")
	case c.Subject == "":
		return invalid(nil, "it has no subject")
	}
	return nil
}

func invalid(cause error, why string) error {
	return errs.Wrap(cause, errs.Unauthenticated, "invalid access token: %s", why)
}

// require refuses a caller whose token lacks the scope.
func (c Caller) require(scope string) error {
	if scope == "" || slices.Contains(c.Scopes, scope) {
		return nil
	}
	return errs.New(errs.Forbidden, "insufficient client scope: this needs %s", scope).Because("insufficient_scope")
}

type callerKey struct{}

// WithCaller puts the caller into the context; the adapter does it for every
// request, and tests of a handler's logic do it for themselves.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is who asks. Behind the adapter there always is one.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
