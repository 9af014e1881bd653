package playback

import (
	"errors"
	"fmt"
	"strings"
)

// Binding names the one file that a content key belongs to. It is authenticated
// with the wrapped key, so a key that is copied to another row does not open.
type Binding struct {
	TrackID   string
	Format    Format
	Bitrate   Quality
	AttemptID string
}

// associatedData is track|format|bitrate|attempt.
func (b Binding) associatedData() ([]byte, error) {
	if err := (Rendition{Format: b.Format, Bitrate: b.Bitrate}).Validate(); err != nil {
		return nil, fmt.Errorf("key binding: %w", err)
	}
	for _, id := range []string{b.TrackID, b.AttemptID} {
		// Two bindings must never read the same.
		if id == "" || strings.Contains(id, "|") {
			return nil, errors.New("key binding: track and attempt must be ids, without |")
		}
	}
	return []byte(b.TrackID + "|" + string(b.Format) + "|" + b.Bitrate.String() + "|" + b.AttemptID), nil
}
