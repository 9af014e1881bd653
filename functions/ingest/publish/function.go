// Package publish gathers what transcode and analyze make: when each rendition
// of a track has a complete attempt and its sound is measured, the track becomes
// playable. It alone decides which attempt is played, and it removes the others.
package publish

import (
	"context"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	AudioBucket string `env:"SEGUE_AUDIO_BUCKET, required"`
}

func init() {
	event.RegisterSeveral[Config]("ingest-publish", once.Value(wire), Publish, parts()...)
}

func parts() []Part { return []Part{&eventpb.RenditionReady{}, &eventpb.TrackAnalyzed{}} }

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	writer, err := event.Open(c.Config)
	if err != nil {
		return Deps{}, err
	}
	bucket, err := gcp.For(c.Config).Bucket(c.AudioBucket)
	if err != nil {
		return Deps{}, err
	}
	return Deps{Writer: writer, Audio: bucket, Now: time.Now}, nil
}
