package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxFailures in a row, without progress between them, are the end: about
	// a minute.
	maxFailures = 8
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
	// longestAsked bounds what a Retry-After can ask for.
	longestAsked = 5 * time.Minute
)

// lost is a failure of the connection: nobody knows what the server did.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

// Transient says whether what failed may work later: the connection was lost,
// or the server said so.
func Transient(err error) bool {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return false
	}
	if l := (lost{}); errors.As(err, &l) {
		return true
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented
}

// attempts spaces the tries at one thing and bounds them.
type attempts struct {
	c      *Client
	wait   *backoff.ExponentialBackOff
	failed int
}

func (c *Client) attempts() *attempts {
	a := &attempts{c: c, wait: backoff.NewExponentialBackOff()}
	a.wait.InitialInterval, a.wait.Multiplier, a.wait.MaxInterval = firstWait, 2, longestWait
	a.wait.RandomizationFactor = 0.5
	a.wait.Reset()
	return a
}

// moved says that something was gained: failures count anew.
func (a *attempts) moved() {
	a.failed = 0
	a.wait.Reset()
}

// again waits for the time of the next try. It returns err where there is none:
// it will not pass, has come too often, or nobody waits any more.
func (a *attempts) again(ctx context.Context, err error) error {
	if ctx.Err() != nil || !Transient(err) {
		return err
	}
	if a.failed++; a.failed >= maxFailures {
		return fmt.Errorf("given up after %d tries without progress: %w", a.failed, err)
	}
	wait := a.wait.NextBackOff()
	var e *Error
	if errors.As(err, &e) {
		wait = max(wait, min(e.RetryAfter, longestAsked))
	}
	if a.c.Retrying != nil {
		a.c.Retrying(err, wait)
	}
	return a.c.sleep(ctx, wait)
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// retryAfter reads both forms of the header (RFC 9110, section 10.2.3); the
// date is told apart from the server's own clock.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	now, nowErr := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || nowErr != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
