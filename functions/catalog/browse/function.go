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
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	httpapi.AuthConfig
	Images images.Config
}

// Validate checks where images are said to be.
func (c *Config) Validate() error { return c.Images.Validate() }

func init() {
	deps := once.Value(wire)
	httpapi.Register[Config]("catalog-browse", func() error { _, err := deps(); return err },
		httpapi.Handle("GET /v1/tracks/{id}", "", deps, Track),
	)
}

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	client, err := gcp.For(c.Config).Spanner()
	if err != nil {
		return Deps{}, err
	}
	return Deps{Store: &catalog.Store{Spanner: client}, Images: c.Images.URL}, nil
}

// Deps are what the operations work with.
type Deps struct {
	*catalog.Store
	Images string // the public address of the images bucket
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
func Track(ctx context.Context, r TrackRequest, d Deps) (catalog.TrackObject, error) {
	market := r.Market
	if market == fromToken {
		market = httpapi.CallerOf(ctx).Market
	}
	t, err := d.Track(ctx, r.ID)
	if err != nil {
		return catalog.TrackObject{}, err
	}
	return t.Object(catalog.Base{API: httpapi.BaseURL(ctx), Images: d.Images}, market), nil
}
