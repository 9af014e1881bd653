package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/limit"
)

// admission is what a request passes before its operation: whose token is good,
// and how much it may ask.
type admission struct {
	config   AuthConfig
	verifier *Verifier
	limiter  *limit.Limiter
}

func openAdmission() (admission, error) {
	c, err := config.Load[AuthConfig](context.Background())
	if err != nil {
		return admission{}, err
	}
	limits, err := c.Limits.Parse()
	if err != nil {
		return admission{}, err
	}
	redis, err := gcp.Redis(c.Redis)
	if err != nil {
		return admission{}, err
	}
	return admission{c, NewVerifier(c, http.DefaultClient, time.Now), limit.New(redis, limits)}, nil
}

// admit returns the context of the route's operation, or why there is none.
func (a admission) admit(r *http.Request, route Route) (context.Context, error) {
	ctx := r.Context()
	caller, err := a.verifier.Verify(ctx, r.Header)
	if err != nil {
		return nil, err
	}
	if err := caller.require(route.Scope); err != nil {
		return nil, err
	}
	check := a.limiter.Check(route.class, limit.Caller{Client: caller.ClientID, User: caller.Subject, SignIn: caller.Session, Epoch: caller.Epoch})
	ctx = withBaseURL(WithCaller(ctx, caller), baseURL(r, a.config.TrustForwarded))
	if route.limitsItself {
		return limit.With(ctx, check), nil
	}
	return ctx, check.Do(ctx, nil)
}
