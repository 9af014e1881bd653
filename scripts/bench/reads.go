package main

import (
	"context"
	"sync/atomic"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"github.com/segue-audio/segue/functions/playback/stream"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/playback"
)

// streamReads plays the world's track and counts what goes to Spanner.
func (w *world) streamReads(ctx context.Context) (sample, error) {
	if err := w.open(ctx); err != nil {
		return sample{}, err
	}
	if err := w.warm(ctx); err != nil {
		return sample{}, err
	}
	var calls atomic.Int64
	client, err := spanner.NewClientWithConfig(ctx, w.spanner.DatabaseName(), spanner.ClientConfig{DisableNativeMetrics: true}, counting(&calls)...)
	if err != nil {
		return sample{}, err
	}
	defer client.Close()
	c, err := config.Load[stream.Config](ctx)
	if err != nil {
		return sample{}, err
	}
	keys, err := c.Open(ctx)
	if err != nil {
		return sample{}, err
	}
	signer, err := playback.NewCloudCDN(c.CDNURL, c.CDNKeyName, c.CDNKey)
	if err != nil {
		return sample{}, err
	}
	d := stream.Deps{
		Renditions: &playback.Store{Spanner: client}, Catalog: &catalog.Store{Spanner: client}, Keys: keys, Signer: signer, Now: time.Now,
	}
	r := stream.Request{ID: w.track}
	if err := r.Validate(); err != nil {
		return sample{}, err
	}
	ctx = httpapi.WithCaller(ctx, httpapi.Caller{Subject: "bench", Product: "premium", Market: "SE"})
	if _, err := stream.Stream(ctx, r, d); err != nil { // with the client's session
		return sample{}, err
	}
	const plays = 20
	calls.Store(0)
	for range plays {
		if _, err := stream.Stream(ctx, r, d); err != nil {
			return sample{}, err
		}
	}
	return sample{value: float64(calls.Load()) / plays}, nil
}

func counting(calls *atomic.Int64) []option.ClientOption {
	unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		calls.Add(1)
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	streaming := func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		calls.Add(1)
		return open(ctx, d, cc, method, opts...)
	}
	return []option.ClientOption{
		option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(unary)),
		option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(streaming)),
	}
}
