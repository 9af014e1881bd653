package main

import (
	"context"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/functions/playback/stream"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/playback"
)

// costs are the most calls that one press of play made, of some dozens.
type costs struct{ reads, trips int64 }

// costPlays are as many tracks; each is played cold once, and warm twice.
const costPlays = 20

// costRows count what one press of play asks of the stores.
func costRows(w *world) []row {
	type both struct{ cold, warm costs }
	runs := &repetitions[both]{run: func(ctx context.Context, _ int) (b both, err error) {
		b.cold, b.warm, err = w.costs(ctx)
		return b, err
	}}
	figure := func(name, unit, how string, b *budget, value func(both) int64) row {
		return row{name: "playback." + name, unit: unit, budget: b, how: how, measure: func(ctx context.Context, k int) (sample, error) {
			c, err := runs.get(ctx, k)
			return sample{value: float64(value(c))}, err
		}}
	}
	const spannerHow, redisHow = "the most Spanner calls of one GET /stream, counted below the client", "the most round trips to Redis of one GET /stream, counted below the client, without a new connection's greeting"
	return []row{
		figure("reads-warm", "RPCs", spannerHow+"; in memory, and in Redis only", atMost(0), func(b both) int64 { return b.warm.reads }),
		figure("reads-cold", "RPCs", spannerHow+"; in neither", atMost(1), func(b both) int64 { return b.cold.reads }),
		figure("redis-warm", "trips", redisHow+"; in memory, and in Redis only", atMost(1), func(b both) int64 { return b.warm.trips }),
		figure("redis-cold", "trips", redisHow+"; the second writes the cache", nil, func(b both) int64 { return b.cold.trips }),
	}
}

// costs plays tracks: cold, from memory, and as an instance that has only Redis.
func (w *world) costs(ctx context.Context) (cold, warm costs, err error) {
	tracks, err := w.songs(ctx, costPlays+1)
	if err != nil {
		return cold, warm, err
	}
	var n counts
	client, err := spanner.NewClientWithConfig(ctx, w.spanner.DatabaseName(), spanner.ClientConfig{DisableNativeMetrics: true}, counting(&n.reads)...)
	if err != nil {
		return cold, warm, err
	}
	defer client.Close()
	c, err := config.Load[stream.Config](ctx)
	if err != nil {
		return cold, warm, err
	}
	remote, err := gcp.NewRedis(c.Redis)
	if err != nil {
		return cold, warm, err
	}
	defer func() { _ = remote.Close() }()
	remote.AddHook(&n)
	d := stream.Deps{Access: &playback.Access{Redis: remote, Now: time.Now}, Catalog: &catalog.Store{Spanner: client}, Now: time.Now}
	fresh := func() { d.Renditions = playback.NewCachedStore(&playback.Store{Spanner: client}, remote) }
	if d.Keys, err = c.Open(ctx); err != nil {
		return cold, warm, err
	}
	if d.Signer, err = playback.NewCloudCDN(c.CDNURL, c.CDNKeyName, c.CDNKey); err != nil {
		return cold, warm, err
	}
	limits, err := limit.Config{}.Parse()
	if err != nil {
		return cold, warm, err
	}
	limiter := limit.New(remote, limits)
	// As the adapter hands it on; each is of another user, whose bucket is full.
	play := func(track string, most *costs) error {
		caller := httpapi.Caller{Subject: id.Random(), ClientID: "bench", Session: id.Random(), Epoch: 1, Product: playback.Premium, Market: "SE"}
		check := limiter.Check(limit.Stream, limit.Caller{Client: caller.ClientID, User: caller.Subject, SignIn: caller.Session, Epoch: caller.Epoch})
		r := stream.Request{ID: track}
		if err := r.Validate(); err != nil {
			return err
		}
		n.reads.Store(0)
		n.trips.Store(0)
		_, err := stream.Stream(limit.With(httpapi.WithCaller(ctx, caller), check), r, d)
		most.reads, most.trips = max(most.reads, n.reads.Load()), max(most.trips, n.trips.Load())
		return err
	}
	fresh()
	if err := play(tracks[costPlays], &costs{}); err != nil { // connects, and loads Redis's scripts
		return cold, warm, err
	}
	for _, t := range tracks[:costPlays] {
		if err := play(t, &cold); err != nil {
			return cold, warm, err
		}
		if err := play(t, &warm); err != nil {
			return cold, warm, err
		}
		fresh()
		if err := play(t, &warm); err != nil {
			return cold, warm, err
		}
	}
	return cold, warm, nil
}
