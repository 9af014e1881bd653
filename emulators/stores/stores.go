// Package stores starts the local Spanner, Pub/Sub, Cloud Storage and Redis together:
// what the harness builds on, and all that a test of one package needs.
package stores

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/gcs"
	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/emulators/pubsub"
	"github.com/segue-audio/segue/emulators/redis"
	"github.com/segue-audio/segue/emulators/spanner"
)

// SignerEmail is the service account that signs local URLs.
const SignerEmail = "signer@segue-local.iam.gserviceaccount.com"

// Options of the stores.
type Options struct {
	// Ports; 0 takes any free one.
	SpannerPort, PubSubPort, GCSPort, RedisPort int
	// AbortRate is the share of Spanner commits that are aborted once.
	AbortRate float64
	// SpannerHost, when set, is an emulator that runs already.
	SpannerHost string
	// SpannerBinary and PubSubJar override where Google's emulators are found.
	SpannerBinary, PubSubJar string
	// Objects keeps the buckets between runs; empty means a temporary folder.
	Objects string
	// Keys is the folder of the signer's key, which is made there once, so that
	// what was signed before a restart stays good; empty means a new key.
	Keys string
	// Log gives a part its log.
	Log func(part string) io.Writer
}

// Stores are the running stores.
type Stores struct {
	SpannerHost string
	PubSubHost  string
	StorageURL  string
	RedisURL    string
	Bearer      string // opens the buckets
	SignerKey   string // PEM, of SignerEmail
	notifier    *notifier
	database    *spanner.Emulator // nil: one that ran already
	parts       []part.Part
}

// Start starts all at once and waits until each serves.
func Start(ctx context.Context, o Options) (*Stores, error) {
	text, key, err := signerKey(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", SignerEmail, err)
	}
	s := &Stores{Bearer: rand.Text(), SpannerHost: o.SpannerHost, SignerKey: string(text)}
	topics := pubsub.New(pubsub.Options{Jar: o.PubSubJar, Port: o.PubSubPort, Log: o.Log("pubsub")})
	notifier := &notifier{host: topics.Host}
	s.notifier = notifier
	buckets := gcs.New(gcs.Options{
		Port: o.GCSPort, Dir: o.Objects, Bearer: s.Bearer, Signers: map[string]*rsa.PublicKey{SignerEmail: &key.PublicKey},
		Publish: notifier.publish, Now: time.Now, Log: o.Log("gcs"),
	})
	// In the order of their stop, backwards: buckets still notify while they stop.
	cache := redis.New(redis.Options{Port: o.RedisPort, Log: o.Log("redis")})
	s.parts = []part.Part{topics, notifier, buckets, cache}
	var database *spanner.Emulator
	if o.SpannerHost == "" {
		database = spanner.New(spanner.Options{Port: o.SpannerPort, AbortRate: o.AbortRate, Binary: o.SpannerBinary, Log: o.Log("spanner")})
		s.parts = append(s.parts, database)
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		g.Go(func() error {
			if err := p.Start(gctx); err != nil {
				return fmt.Errorf("%s: %w", p.Name(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	if s.database = database; database != nil {
		s.SpannerHost = database.Host()
	}
	s.PubSubHost, s.StorageURL, s.RedisURL = topics.Host(), buckets.URL(), cache.URL()
	return s, nil
}

// Parts are what was started, for whoever watches over them.
func (s *Stores) Parts() []part.Part { return s.parts }

// SpannerHealth says whether Spanner answers; one that ran already is taken to.
func (s *Stores) SpannerHealth(ctx context.Context) error {
	if s.database == nil {
		return nil
	}
	return s.database.Health(ctx)
}

// Stop stops them, the last first; the first problem is returned, the others
// are stopped all the same.
func (s *Stores) Stop(ctx context.Context) error {
	var all []error
	for _, p := range slices.Backward(s.parts) {
		all = append(all, p.Stop(ctx))
	}
	return errors.Join(all...)
}

// Env is how a process finds the stores.
func (s *Stores) Env() map[string]string {
	return map[string]string{
		"SPANNER_EMULATOR_HOST": s.SpannerHost,
		"PUBSUB_EMULATOR_HOST":  s.PubSubHost,
		"STORAGE_EMULATOR_HOST": s.StorageURL,
		"SEGUE_STORAGE_BEARER":  s.Bearer,
		"SEGUE_STORAGE_URL":     s.StorageURL,
		"SEGUE_REDIS_URL":       s.RedisURL,
		"SEGUE_SIGNER_EMAIL":    SignerEmail,
		"SEGUE_SIGNER_KEY":      s.SignerKey,
	}
}
