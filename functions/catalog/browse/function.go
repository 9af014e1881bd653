// Package browse answers what the catalogue holds: its tracks, in the Web API's
// form. It reads only.
package browse

import (
	"context"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	httpapi.AuthConfig
}

func init() {
	deps := once.Value(wire)
	httpapi.Register[Config]("catalog-browse", func() error { _, err := deps(); return err },
		httpapi.Handle("GET /v1/tracks/{id}", "", deps, Track),
	)
}

func wire() (*catalog.Store, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return nil, err
	}
	client, err := gcp.For(c.Config).Spanner()
	if err != nil {
		return nil, err
	}
	return &catalog.Store{Spanner: client}, nil
}

// TrackRequest names a track.
type TrackRequest struct {
	ID     string `json:"-" path:"id"`
	Market string `json:"-" query:"market"`
}

// Validate checks the market; from_token, which the Web API allows too, stands
// for the caller's own.
func (r *TrackRequest) Validate() error {
	if r.Market == "" || r.Market == fromToken {
		return nil
	}
	if _, err := catalog.ParseMarket(r.Market); err != nil {
		return errs.New(errs.Invalid, "query parameter market: %v", err)
	}
	return nil
}

const fromToken = "from_token"

// Track answers with one track.
func Track(ctx context.Context, r TrackRequest, s *catalog.Store) (catalog.TrackObject, error) {
	market := r.Market
	if market == fromToken {
		market = httpapi.CallerOf(ctx).Market
	}
	t, err := s.Track(ctx, r.ID)
	if err != nil {
		return catalog.TrackObject{}, err
	}
	return t.Object(httpapi.BaseURL(ctx), market), nil
}
