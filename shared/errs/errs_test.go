package errs

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrorKeepsItsCauseFromTheMessage(t *testing.T) {
	t.Parallel()
	e := Wrap(io.ErrUnexpectedEOF, Conflict, "track %s changed", "a").Because("changed")
	if e.Message != "track a changed" || e.Code != Conflict || e.Reason != "changed" {
		t.Errorf("error = %+v", e)
	}
	if got := e.Error(); got != "conflict: track a changed: unexpected EOF" {
		t.Errorf("for the log: %q", got)
	}
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the cause cannot be found")
	}
	if got := New(NotFound, "no such track").Error(); got != "not_found: no such track" {
		t.Errorf("without a cause: %q", got)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, ""},
		{New(NotFound, "x"), NotFound},
		{fmt.Errorf("read: %w", New(Forbidden, "x")), Forbidden},
		{errors.Join(io.EOF, New(Invalid, "x")), Invalid},
		{Wrap(New(Invalid, "inner"), Unavailable, "outer"), Unavailable},
		{io.EOF, Internal},
	} {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("CodeOf(%v) = %q, want %q", test.err, got, test.want)
		}
	}
	if e := From(io.EOF); e.Message != "something went wrong on our side" || !errors.Is(e, io.EOF) {
		t.Errorf("From = %+v", e)
	}
}
