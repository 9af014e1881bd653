// Package errs is Segue's error: a code that decides the HTTP status, a
// message that a client may see, and a cause that only the log sees. It knows
// nothing of HTTP; shared/httpapi holds the table from code to status.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an error is.
type Code string

// The codes. Each has one row in the table of shared/httpapi.
const (
	Invalid          Code = "invalid"
	Unauthenticated  Code = "unauthenticated"
	Forbidden        Code = "forbidden"
	NotFound         Code = "not_found"
	MethodNotAllowed Code = "method_not_allowed"
	Conflict         Code = "conflict"
	TooLarge         Code = "too_large"
	TooSlow          Code = "too_slow"
	UnsupportedMedia Code = "unsupported_media"
	TooManyRequests  Code = "too_many_requests"
	Unavailable      Code = "unavailable"
	Internal         Code = "internal"
)

// Error is a failure that a client can be told about.
type Error struct {
	Code Code
	// Message is shown to clients: it names what is wrong, and no internals.
	Message string
	// Reason is a word that programs can act on, such as premium_required.
	Reason string
	// RetryAfter is when it makes sense to ask again; 0 says nothing.
	RetryAfter time.Duration
	// Cause goes to the log only.
	Cause error
}

// New is an error of a code with a message in fmt's form.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because gives the error a reason word.
func (e *Error) Because(reason string) *Error {
	e.Reason = reason
	return e
}

// Wrap keeps cause for the log and shows the client code and message.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.Cause = cause
	return e
}

// Error is for the log: it includes the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// From finds the Error in err's chain; an error that carries none is internal.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(err, Internal, "something went wrong on our side")
}

// CodeOf is the code of err; "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
