// Package transcode makes one rendition of an uploaded file: encoded, encrypted
// under a key of its own, hashed, and written to the audio bucket. Which attempt
// is played is decided by functions/ingest/publish.
package transcode

import (
	"context"
	"time"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/once"
	"github.com/segue-audio/segue/shared/playback"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	playback.KeyConfig
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
	AudioBucket   string `env:"SEGUE_AUDIO_BUCKET, required"`
}

func init() {
	event.Register[Config, *eventpb.TranscodeRequested]("ingest-transcode", once.Value(wire), Transcode)
}

func wire() (Deps, error) {
	ctx := context.Background()
	c, err := config.Load[Config](ctx)
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
	keys, err := c.Open(ctx)
	if err != nil {
		return Deps{}, err
	}
	return Deps{
		Writer: writer, Keys: keys, Cipher: c.Cipher, Now: time.Now, NewID: id.Random, Uploads: uploads, Audio: audio,
	}, nil
}
