package gcp

import (
	"time"

	"cloud.google.com/go/pubsub/v2"
	pubsubapi "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/spanner"
	spannerapi "cloud.google.com/go/spanner/apiv1"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
)

// Clients find a store that was away again within seconds of its return: that is
// how long they pause between two tries. The libraries' own pauses grow to 32 s
// (Spanner's calls), 60 s (Pub/Sub's) and 120 s (gRPC's connections). How long a
// call is tried at all is its context's to say.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
	growth     = 1.6
)

// A connection on which a call waits is asked for a sign of life after quiet,
// and is dead without one within sign: one that a firewall forgot is otherwise
// waited on for a quarter of an hour. Only with a call under way: a server that
// is pinged more often than its policy says ends the connection
// (too_many_pings), but what it sends in between makes up for that, and next to
// no call waits for so long in silence. A client that is told off doubles quiet.
const (
	quiet = 10 * time.Second
	sign  = 3 * time.Second
	dial  = 3 * time.Second // for a connection, with TLS and HTTP/2's greeting
)

func pause() gax.Backoff {
	return gax.Backoff{Initial: firstPause, Max: maxPause, Multiplier: growth}
}

// connections are the options of a client that speaks gRPC.
func connections() []option.ClientOption {
	return []option.ClientOption{
		option.WithGRPCDialOption(grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: growth, Jitter: 0.2, MaxDelay: maxPause},
			MinConnectTimeout: dial,
		})),
		option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: quiet, Timeout: sign})),
	}
}

// A stream that breaks off, such as a read, and an aborted transaction take their
// pauses from the library's one variable.
func init() { spanner.DefaultRetryBackoff.Max = maxPause }

func retry(on ...codes.Code) []gax.CallOption {
	return []gax.CallOption{gax.WithRetry(func() gax.Retryer { return gax.OnCodes(on, pause()) })}
}

// spannerCalls retries what the library retries, with shorter pauses.
func spannerCalls() *spannerapi.CallOptions {
	again := retry(codes.Unavailable, codes.ResourceExhausted)
	return &spannerapi.CallOptions{
		CreateSession: again, BatchCreateSessions: again, GetSession: again, DeleteSession: again,
		ExecuteSql: again, ExecuteBatchDml: again, Read: again,
		BeginTransaction: again, Commit: again, Rollback: again,
	}
}

// publishCalls retries what the library retries, with shorter pauses.
func publishCalls() *pubsub.ClientConfig {
	return &pubsub.ClientConfig{TopicAdminCallOptions: &pubsubapi.TopicAdminCallOptions{
		Publish: retry(codes.Aborted, codes.Canceled, codes.Internal, codes.ResourceExhausted, codes.Unknown, codes.Unavailable, codes.DeadlineExceeded),
	}}
}
