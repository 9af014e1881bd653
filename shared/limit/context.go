package limit

import "context"

type key struct{}

// With hands a check to a handler that makes it itself, together with what else
// it asks Redis.
func With(ctx context.Context, c Check) context.Context { return context.WithValue(ctx, key{}, c) }

// Of is the check of the request; one that was never handed over fails.
func Of(ctx context.Context) Check {
	c, _ := ctx.Value(key{}).(Check)
	return c
}
