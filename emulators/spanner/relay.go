package spanner

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// relay calls the emulator on behalf of the client whose call is in ctx: the
// client's metadata goes up, the emulator's headers and trailers come back.
type relay struct{ *grpc.ClientConn }

func (r relay) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	var header, trailer metadata.MD
	err := r.ClientConn.Invoke(upward(ctx), method, in, out,
		append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
	// They fail only when the client's call has ended, which makes them moot.
	_ = grpc.SetHeader(ctx, header)
	_ = grpc.SetTrailer(ctx, trailer)
	return err
}

func (r relay) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := r.ClientConn.NewStream(upward(ctx), desc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &relayStream{ClientStream: s, client: ctx}, nil
}

type relayStream struct {
	grpc.ClientStream
	client  context.Context
	started bool
}

func (s *relayStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if !s.started {
		s.started = true
		if header, herr := s.Header(); herr == nil {
			_ = grpc.SetHeader(s.client, header)
		}
	}
	if err != nil {
		_ = grpc.SetTrailer(s.client, s.Trailer())
	}
	return err
}

// upward drops what belongs to the client's own connection.
func upward(ctx context.Context) context.Context {
	in, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for k, v := range in {
		if strings.HasPrefix(k, ":") || strings.HasPrefix(k, "grpc-") || k == "content-type" || k == "user-agent" {
			continue
		}
		out[k] = v
	}
	return metadata.NewOutgoingContext(ctx, out)
}

// passThrough forwards every call that has nothing to do with sessions, such as
// the admin APIs, without decoding it.
func (r relay) passThrough(_ any, client grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(client)
	if !ok {
		return status.Error(codes.Internal, "a call without a method")
	}
	up, err := r.NewStream(client.Context(), &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodecV2(codec{}))
	if err != nil {
		return err
	}
	var request frame
	if err := client.RecvMsg(&request); err != nil {
		return err
	}
	// A failed send returns io.EOF; the reason comes from the first receive.
	if err := up.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := up.CloseSend(); err != nil {
		return err
	}
	for {
		var response frame
		if err := up.RecvMsg(&response); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := client.SendMsg(&response); err != nil {
			return err
		}
	}
}

// frame is a message in its wire format.
type frame struct{ data mem.BufferSlice }

// codec is gRPC's protobuf codec, which leaves frames as they are.
type codec struct{}

func (codec) Name() string { return proto.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return f.data, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		data.Ref() // gRPC frees data when this returns
		f.data = data
		return nil
	}
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}
