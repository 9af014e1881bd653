package httpapi

import (
	"context"
	"net/http"
	"time"
)

// headerDue is when Cloud Scheduler's run was due.
// https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget
const headerDue = "X-CloudScheduler-ScheduleTime"

type dueKey struct{}

// withDue puts the time at which a job was due into its context. A header that is
// no time is as good as none.
func withDue(ctx context.Context, h http.Header) context.Context {
	due, err := time.Parse(time.RFC3339Nano, h.Get(headerDue))
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, dueKey{}, due.UTC())
}

// DueAt is when the job that runs under ctx was due, or now where its caller did
// not say.
func DueAt(ctx context.Context, now func() time.Time) time.Time {
	if due, ok := ctx.Value(dueKey{}).(time.Time); ok {
		return due
	}
	return now().UTC()
}
