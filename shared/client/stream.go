package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/segue-audio/segue/shared/playback"
)

// Stream is what a download needs of the answer of GET /v1/tracks/{id}/stream.
type Stream struct {
	TrackID   string           `json:"track_id"`
	Format    playback.Format  `json:"format"`
	Bitrate   playback.Quality `json:"bitrate"`
	MIMEType  string           `json:"mime_type"`
	Size      int64            `json:"size"`
	URL       string           `json:"url"`
	HashesURL string           `json:"hashes_url"`
	ExpiresAt time.Time        `json:"expires_at"`
	BlockSize int              `json:"block_size"`
	Key       struct {
		Scheme playback.Scheme `json:"scheme"`
		ID     string          `json:"id"`
		Value  string          `json:"value"`
	} `json:"key"`
}

// Choice is the rendition that is wanted; what is empty, the service chooses.
type Choice struct{ Format, Quality string }

// Stream asks for a track's rendition: where it lies, and its key.
func (c *Client) Stream(ctx context.Context, track string, choice Choice) (*Stream, error) {
	query := url.Values{}
	for name, value := range map[string]string{"format": choice.Format, "quality": choice.Quality} {
		if value != "" {
			query.Set(name, value)
		}
	}
	path := "/v1/tracks/" + url.PathEscape(track) + "/stream"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var s Stream
	if err := c.CallAgain(ctx, http.MethodGet, path, nil, &s); err != nil {
		return nil, err
	}
	if _, err := s.key(); err != nil {
		return nil, err
	}
	switch {
	case s.BlockSize != playback.BlockSize:
		return nil, fmt.Errorf("the stream's blocks have %d bytes; only %d are known", s.BlockSize, playback.BlockSize)
	case s.Size <= 0:
		return nil, fmt.Errorf("the stream has %d bytes", s.Size)
	case s.URL == "" || s.HashesURL == "":
		return nil, errors.New("the stream has no URL for its audio or its hashes")
	}
	return &s, nil
}

func (s *Stream) key() ([]byte, error) {
	want, err := s.Key.Scheme.KeySize()
	if err != nil {
		return nil, fmt.Errorf("the stream's encryption: %w", err)
	}
	key, err := base64.RawURLEncoding.DecodeString(s.Key.Value)
	if err != nil || len(key) != want {
		return nil, fmt.Errorf("the stream's key is not one of %s", s.Key.Scheme)
	}
	return key, nil
}

func (s *Stream) blocks() int64 { return (s.Size + playback.BlockSize - 1) / playback.BlockSize }
