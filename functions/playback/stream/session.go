package stream

import (
	"context"
	"strings"
	"unicode"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
)

// StartRequest is a press of play on a device.
type StartRequest struct {
	DeviceID string `json:"device_id"`
}

// maxDeviceID is more than the longest id that platforms give.
const maxDeviceID = 128

// Validate refuses what names no device.
func (r *StartRequest) Validate() error {
	switch {
	case r.DeviceID == "":
		return errs.New(errs.Invalid, "device_id: name the device that plays")
	case len(r.DeviceID) > maxDeviceID:
		return errs.New(errs.Invalid, "device_id: longer than %d bytes", maxDeviceID)
	case strings.ContainsFunc(r.DeviceID, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }):
		return errs.New(errs.Invalid, "device_id: %q has characters that are not printed", r.DeviceID)
	}
	return nil
}

// StartResponse is the session that plays from now on.
type StartResponse struct {
	Session string `json:"session"` // for /stream?session=
	Epoch   int64  `json:"epoch"`   // higher than that of every session before
}

// Start makes the device the one that the account plays on.
func Start(ctx context.Context, r StartRequest, d Deps) (StartResponse, error) {
	s, err := d.Access.Start(ctx, httpapi.CallerOf(ctx).Subject, r.DeviceID)
	if err != nil {
		return StartResponse{}, err
	}
	return StartResponse{Session: s.String(), Epoch: s.Epoch}, nil
}
