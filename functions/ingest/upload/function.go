// Package upload is the label's side of ingest: it announces a file and gives
// out the URL that takes it, and it tells what became of it. It never sees the
// file's bytes.
package upload

import (
	"context"
	"net/http"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	gcp.SignerConfig
	httpapi.AuthConfig
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
	Images        images.Config
}

// Validate checks where images are said to be.
func (c *Config) Validate() error { return c.Images.Validate() }

const scope = "catalog-write"

func init() {
	deps := once.Value(wire)
	httpapi.Register[Config]("ingest-upload", func() error { _, err := deps(); return err },
		httpapi.Handle("POST /v1/uploads", scope, deps, Create),
		httpapi.Handle("GET /v1/uploads/{id}", scope, deps, Get),
	)
}

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	clients := gcp.For(c.Config)
	spanner, err := clients.Spanner()
	if err != nil {
		return Deps{}, err
	}
	bucket, err := clients.Bucket(c.UploadsBucket)
	if err != nil {
		return Deps{}, err
	}
	return Deps{Spanner: spanner, Bucket: bucket, Images: c.Images.URL, Signer: c.SignerConfig, HTTP: http.DefaultClient, Now: time.Now, NewID: id.Random}, nil
}
