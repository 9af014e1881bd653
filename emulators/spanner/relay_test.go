package spanner

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/segue-audio/segue/emulators/part"
)

// refusing is an upstream whose errors say all that an error can: the emulator
// itself cannot be made to.
type refusing struct {
	spannerpb.UnimplementedSpannerServer
	instancepb.UnimplementedInstanceAdminServer
}

func refusal() *status.Status {
	s, err := status.New(codes.ResourceExhausted, "too much: é").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
	if err != nil {
		return status.New(codes.Internal, err.Error())
	}
	return s
}

func refuse(ctx context.Context) error {
	in, _ := metadata.FromIncomingContext(ctx)
	if err := grpc.SetHeader(ctx, metadata.Pairs("echo", in.Get("x-client")[0])); err != nil {
		return err
	}
	if err := grpc.SetTrailer(ctx, metadata.Pairs("google.rpc.retryinfo-bin", "\x00\xff")); err != nil {
		return err
	}
	return refusal().Err()
}

func (refusing) Read(ctx context.Context, _ *spannerpb.ReadRequest) (*spannerpb.ResultSet, error) {
	return nil, refuse(ctx)
}

func (refusing) StreamingRead(_ *spannerpb.ReadRequest, s spannerpb.Spanner_StreamingReadServer) error {
	return refuse(s.Context())
}

func (refusing) ListInstances(ctx context.Context, _ *instancepb.ListInstancesRequest) (*instancepb.ListInstancesResponse, error) {
	return nil, refuse(ctx)
}

func serve(t *testing.T, s *grpc.Server) *grpc.ClientConn {
	t.Helper()
	l, err := part.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	cc, err := dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(cc) })
	return cc
}

func TestErrorsReachTheClientUnchanged(t *testing.T) {
	s := grpc.NewServer()
	spannerpb.RegisterSpannerServer(s, refusing{})
	instancepb.RegisterInstanceAdminServer(s, refusing{})
	up := serve(t, s)
	cc := serve(t, newServer(up, newProxy(up, Options{})))
	for name, call := range map[string]func(context.Context, ...grpc.CallOption) error{
		"unary": func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := spannerpb.NewSpannerClient(cc).Read(ctx, &spannerpb.ReadRequest{Session: "s"}, opts...)
			return err
		},
		"streaming": func(ctx context.Context, opts ...grpc.CallOption) error {
			st, err := spannerpb.NewSpannerClient(cc).StreamingRead(ctx, &spannerpb.ReadRequest{Session: "s"}, opts...)
			if err == nil {
				_, err = st.Recv()
			}
			return err
		},
		"passed through": func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := instancepb.NewInstanceAdminClient(cc).ListInstances(ctx, &instancepb.ListInstancesRequest{}, opts...)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var header, trailer metadata.MD
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-client", "me")
			err := call(ctx, grpc.Header(&header), grpc.Trailer(&trailer))
			if got := status.Convert(err).Proto(); !proto.Equal(got, refusal().Proto()) {
				t.Errorf("status is %v", got)
			}
			if got := trailer.Get("google.rpc.retryinfo-bin"); len(got) != 1 || got[0] != "\x00\xff" {
				t.Errorf("trailer is %q", trailer)
			}
			if got := header.Get("echo"); len(got) != 1 || got[0] != "me" {
				t.Errorf("header is %q", header)
			}
		})
	}
}
