// Package stream answers a press of play: not with audio, but with where the
// encrypted audio lies, a signature that opens it for some minutes, and the key
// that decrypts it. One round trip to Redis, one HMAC and one local unwrap; a
// read by key where the cache has nothing.
package stream

import (
	"context"
	"time"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/once"
	"github.com/segue-audio/segue/shared/playback"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	gcp.SignerConfig
	httpapi.AuthConfig
	playback.KeyConfig
	AudioBucket string `env:"SEGUE_AUDIO_BUCKET, required"`
	// Without a CDN, URLs lead to Cloud Storage itself.
	CDNURL     string `env:"SEGUE_CDN_URL"`
	CDNKeyName string `env:"SEGUE_CDN_KEY_NAME"`
	CDNKey     string `env:"SEGUE_CDN_KEY"` // base64url of 16 bytes
}

func init() {
	deps := once.Value(wire)
	httpapi.Register[Config]("playback-stream", func() error { _, err := deps(); return err },
		httpapi.Handle("GET /v1/tracks/{id}/stream", "streaming", deps, Stream).LimitedAs(limit.Stream),
		httpapi.Handle("POST /v1/me/playback/sessions", "streaming", deps, Start),
	)
}

func wire() (Deps, error) {
	ctx := context.Background()
	c, err := config.Load[Config](ctx)
	if err != nil {
		return Deps{}, err
	}
	spanner, err := gcp.For(c.Config).Spanner()
	if err != nil {
		return Deps{}, err
	}
	redis, err := gcp.Redis(c.Redis)
	if err != nil {
		return Deps{}, err
	}
	keys, err := c.Open(ctx)
	if err != nil {
		return Deps{}, err
	}
	signer, err := c.signer()
	if err != nil {
		return Deps{}, err
	}
	return Deps{
		Access: &playback.Access{Redis: redis, Now: time.Now}, Renditions: playback.NewCachedStore(&playback.Store{Spanner: spanner}, redis), Catalog: &catalog.Store{Spanner: spanner},
		Keys: keys, Signer: signer, Now: time.Now,
	}, nil
}

func (c Config) signer() (playback.Signer, error) {
	if c.CDNURL != "" {
		return playback.NewCloudCDN(c.CDNURL, c.CDNKeyName, c.CDNKey)
	}
	host, insecure, err := c.Host()
	if err != nil {
		return nil, err
	}
	o := playback.GCSOptions{Bucket: c.AudioBucket, GoogleAccessID: c.Email, PrivateKey: []byte(c.Key), Host: host, Insecure: insecure}
	if c.Key == "" {
		o.PrivateKey = nil
		if o.Handle, err = gcp.For(c.Config).Bucket(c.AudioBucket); err != nil {
			return nil, err
		}
	}
	return playback.NewGCSV4(o)
}
