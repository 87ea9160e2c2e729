//go:build !unary

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/containerd/ttrpc"
	"github.com/containerd/ttrpc/integration/streaming"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// service serves streaming.proto through the library's own generated code.
type service struct{}

func (service) Echo(_ context.Context, in *Item) (*Item, error) {
	return &Item{Seq: in.Seq + 1, Msg: in.Msg}, nil
}

func (service) EchoStream(_ context.Context, stream streaming.TTRPCStreaming_EchoStreamServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&Item{Seq: in.Seq + 1, Msg: in.Msg}); err != nil {
			return err
		}
	}
}

func (service) SumStream(_ context.Context, stream streaming.TTRPCStreaming_SumStreamServer) (*streaming.Sum, error) {
	sum := &streaming.Sum{}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return nil, err
		}
		sum.Sum += part.Add
		sum.Num++
	}
}

// Parts that are 0 but for the middle ones: the first and the last are empty messages.
func (service) DivideStream(_ context.Context, sum *streaming.Sum, stream streaming.TTRPCStreaming_DivideStreamServer) error {
	left := sum.Sum
	for i := int32(0); i < sum.Num; i++ {
		var add int32
		switch {
		case i == 0 || i == sum.Num-1:
		case i == sum.Num-2:
			add = left
		default:
			add = i*7%100 - 50
		}
		left -= add
		if err := stream.Send(&streaming.Part{Add: add}); err != nil {
			return err
		}
	}
	return nil
}

const nullText = "non-empty empty"

func checkNull(in *Item, seq uint32) error {
	if in.Seq != seq || in.Msg != nullText {
		return fmt.Errorf("message %d %q, not %d %q", in.Seq, in.Msg, seq, nullText)
	}
	return nil
}

func (service) EchoNull(_ context.Context, stream streaming.TTRPCStreaming_EchoNullServer) (*emptypb.Empty, error) {
	for seq := uint32(0); ; seq++ {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return &emptypb.Empty{}, nil
		}
		if err == nil {
			err = checkNull(in, seq)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (service) EchoNullStream(_ context.Context, stream streaming.TTRPCStreaming_EchoNullStreamServer) error {
	var senders sync.WaitGroup
	defer senders.Wait()
	for seq := uint32(0); ; seq++ {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = checkNull(in, seq)
		}
		if err != nil {
			return err
		}
		for range 10 {
			senders.Go(func() { _ = stream.Send(&emptypb.Empty{}) })
		}
	}
}

func (service) EmptyPayloadStream(_ context.Context, _ *emptypb.Empty, stream streaming.TTRPCStreaming_EmptyPayloadStreamServer) error {
	for seq := uint32(1); seq <= 2; seq++ {
		if err := stream.Send(&Item{Seq: seq}); err != nil {
			return err
		}
	}
	return nil
}

func flowValues(ctx context.Context, in *Item, stream ttrpc.StreamServer) (interface{}, error) {
	for i, value := range values(ctx, in.Msg) {
		if err := stream.SendMsg(&Item{Seq: uint32(i), Msg: value}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func flowFail(_ context.Context, in *Item, stream ttrpc.StreamServer) (interface{}, error) {
	for seq := range uint32(2) {
		if err := stream.SendMsg(&Item{Seq: seq}); err != nil {
			return nil, err
		}
	}
	return nil, status.Error(codes.Code(in.Seq), in.Msg)
}

func flowHold(_ context.Context, stream ttrpc.StreamServer) (interface{}, error) {
	begun.Add(1)
	for {
		var in Item
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err == nil {
			err = stream.SendMsg(&in)
		}
		if err != nil {
			cancelled.Add(1)
			return nil, err
		}
	}
}

func flowFill(_ context.Context, in *Item, stream ttrpc.StreamServer) (interface{}, error) {
	return nil, stream.SendMsg(&Item{Msg: strings.Repeat("x", int(in.Seq)-5)})
}

func flowEnds(_ context.Context, in *Item, stream ttrpc.StreamServer) (interface{}, error) {
	switch in.Seq {
	case 0:
		if err := stream.SendMsg(nil); err != nil {
			return nil, err
		}
		return nil, stream.SendMsg(&Item{Seq: 7})
	case 1:
		return &Item{Seq: 7}, nil
	default:
		return &Item{}, nil
	}
}

type requestHandler func(context.Context, *Item, ttrpc.StreamServer) (interface{}, error)

// serverStream makes a stream with one request of a function that gets it.
func serverStream(handler requestHandler) ttrpc.Stream {
	return ttrpc.Stream{
		StreamingServer: true,
		Handler: func(ctx context.Context, stream ttrpc.StreamServer) (interface{}, error) {
			var in Item
			if err := stream.RecvMsg(&in); err != nil {
				return nil, err
			}
			return handler(ctx, &in, stream)
		},
	}
}

func registerStreams(server *ttrpc.Server) {
	streaming.RegisterTTRPCStreamingService(server, service{})
	server.RegisterService("interop.Flow", &ttrpc.ServiceDesc{Streams: map[string]ttrpc.Stream{
		"Values": serverStream(flowValues),
		"Fail":   serverStream(flowFail),
		"Fill":   serverStream(flowFill),
		"Ends":   serverStream(flowEnds),
		"Hold":   {StreamingClient: true, StreamingServer: true, Handler: flowHold},
	}})
}
