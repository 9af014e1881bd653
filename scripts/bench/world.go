package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/functions"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/telemetry"
)

// world is a project with a database, buckets, topics and tokens of its own, in
// stores that run in another process: their CPU time is not ours. It is made
// when a row first needs it, and functions run against it in this process or in
// one each.
type world struct {
	dir      string // for all files; removed at the end
	manifest *functions.Manifest
	getenv   func(string) string
	progress io.Writer

	opened  bool
	err     error // of opening
	project string
	issuer  *identity.Issuer
	spanner *spanner.Client
	storage *storage.Client
	topics  *pubsub.Client
	uploads *storage.BucketHandle
	closers []func() error

	walks  *repetitions[walk] // of memoryRows
	warmed bool

	program string // of alone, once built
	redis   *redis.Client
}

var errNoStores = errors.New("there are no stores to measure on: use make bench, or go run ./emulators exec go run ./scripts/bench")

// open makes the world once; all rows that need it fail by the same error.
func (w *world) open(ctx context.Context) error {
	if !w.opened {
		w.opened, w.err = true, w.make(ctx)
	}
	return w.err
}

func (w *world) make(ctx context.Context) error {
	host := w.getenv("SPANNER_EMULATOR_HOST")
	if host == "" || w.getenv("SEGUE_STORAGE_BEARER") == "" || w.getenv("PUBSUB_EMULATOR_HOST") == "" || w.getenv("SEGUE_REDIS_URL") == "" {
		return errNoStores
	}
	w.project = "bench-" + strings.ToLower(id.Random())
	database := "projects/" + w.project + "/instances/bench/databases/segue"
	if err := stores.CreateDatabase(ctx, host, database); err != nil {
		return err
	}
	env, err := w.secrets(ctx)
	if err != nil {
		return err
	}
	env["SEGUE_PROJECT"], env["SEGUE_SPANNER_DATABASE"] = w.project, database
	for variable, bucket := range w.buckets() {
		env[variable] = bucket
	}
	// The functions of this process and of its children read it from here.
	for k, v := range env {
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	telemetry.SetDefault(io.Discard, w.project) // lines are made, as on the platform
	clients := gcp.For(gcp.Config{Project: w.project, Database: database})
	if w.spanner, err = clients.Spanner(); err != nil {
		return err
	}
	if w.storage, err = clients.Storage(); err != nil {
		return err
	}
	if w.topics, err = clients.PubSub(); err != nil {
		return err
	}
	if w.redis, err = gcp.Redis(gcp.RedisConfig{RedisURL: w.getenv("SEGUE_REDIS_URL")}); err != nil {
		return err
	}
	w.uploads = w.storage.Bucket(env["SEGUE_UPLOADS_BUCKET"])
	for _, name := range w.buckets() {
		if err := w.storage.Bucket(name).Create(ctx, w.project, nil); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return w.createTopics(ctx)
}

// buckets are those that the functions of the manifest read of, by variable.
func (w *world) buckets() map[string]string {
	all := map[string]string{}
	for _, f := range w.manifest.Functions {
		for _, v := range f.Environment {
			if name, found := strings.CutSuffix(v, "_BUCKET"); found {
				all[v] = w.project + "-" + strings.ToLower(strings.TrimPrefix(name, "SEGUE_"))
			}
		}
	}
	return all
}

// secrets are the keys and the issuer of tokens.
func (w *world) secrets(ctx context.Context) (map[string]string, error) {
	keyset, kek, err := playback.CreateLocalKeyset(filepath.Join(w.dir, "keys"))
	if err != nil {
		return nil, err
	}
	const issuer, audience = "https://accounts.segue.bench", "https://api.segue.bench"
	if w.issuer, err = identity.New(identity.Options{Dir: filepath.Join(w.dir, "identity"), Issuer: issuer, Audience: audience}); err != nil {
		return nil, err
	}
	if err := w.issuer.Start(ctx); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, func() error { return w.issuer.Stop(context.WithoutCancel(ctx)) })
	return map[string]string{
		"SEGUE_KEYSET": keyset, "SEGUE_KEYSET_KEK": kek,
		"SEGUE_TOKEN_ISSUER": issuer, "SEGUE_TOKEN_AUDIENCE": audience, "SEGUE_JWKS_URL": w.issuer.URL() + "/.well-known/jwks.json",
		// Signs; nobody fetches.
		"SEGUE_IMAGES_URL": "https://images.segue.bench", "SEGUE_CDN_URL": "https://cdn.segue.bench", "SEGUE_CDN_KEY_NAME": "bench", "SEGUE_CDN_KEY": base64.URLEncoding.EncodeToString(make([]byte, 16)),
	}, nil
}

func (w *world) close() error {
	var all []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		all = append(all, w.closers[i]())
	}
	return errors.Join(all...)
}
