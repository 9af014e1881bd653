// Package analyze measures how a track sounds: its loudness, its waveform and
// what recommendations are made of. What they mean is in
// shared/ingest/analysis; when the track becomes playable is decided by
// functions/ingest/publish.
package analyze

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
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
	AudioBucket   string `env:"SEGUE_AUDIO_BUCKET, required"`
}

func init() {
	event.Register[Config, *eventpb.AnalysisRequested]("ingest-analyze", once.Value(wire), Analyze)
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
	uploads, err := gcp.For(c.Config).Bucket(c.UploadsBucket)
	if err != nil {
		return Deps{}, err
	}
	audio, err := gcp.For(c.Config).Bucket(c.AudioBucket)
	if err != nil {
		return Deps{}, err
	}
	return Deps{Writer: writer, Now: time.Now, Uploads: uploads, Audio: audio}, nil
}
