// Package probe looks at an uploaded file: is it the file that was announced,
// is it audio to its very end, is it new? Then it drafts the track and asks for
// the renditions. What is wrong for good ends in the upload's status.
package probe

import (
	"context"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
	ImagesBucket  string `env:"SEGUE_IMAGES_BUCKET, required"`
}

func init() {
	event.RegisterBucket[Config]("ingest-probe", once.Value(wire), Probe, Origin)
}

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	writer, err := event.Open(c.Config)
	if err != nil {
		return Deps{}, err
	}
	bucket, err := gcp.For(c.Config).Bucket(c.UploadsBucket)
	if err != nil {
		return Deps{}, err
	}
	images, err := gcp.For(c.Config).Bucket(c.ImagesBucket)
	if err != nil {
		return Deps{}, err
	}
	return Deps{Writer: writer, Uploads: bucket, Images: images, NewID: id.Random}, nil
}
