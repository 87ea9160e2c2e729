//go:build !unary

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/containerd/ttrpc/integration/streaming"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

var bothWays = &ttrpc.StreamDesc{StreamingClient: true, StreamingServer: true}

// watch opens a stream of interop.Flow that has one request.
func watch(ctx context.Context, client *ttrpc.Client, method string, in *Item) (ttrpc.ClientStream, error) {
	return client.NewStream(ctx, &ttrpc.StreamDesc{StreamingServer: true}, "interop.Flow", method, in)
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("not the end but %v", err)
}

func clientStream(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).SumStream(ctx)
	if err != nil {
		return err
	}
	for i := int32(-99); i <= 100; i++ {
		if err := stream.Send(&streaming.Part{Add: i}); err != nil {
			return err
		}
	}
	sum, err := stream.CloseAndRecv()
	if err == nil && (sum.Sum != 100 || sum.Num != 200) {
		err = fmt.Errorf("sum %d of %d", sum.Sum, sum.Num)
	}
	return err
}

func serverStreaming(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).DivideStream(ctx, &streaming.Sum{Sum: 392, Num: 30})
	if err != nil {
		return err
	}
	var sum, num int32
	for {
		part, err := stream.Recv()
		if err != nil {
			if sum != 392 || num != 30 {
				return fmt.Errorf("sum %d of %d, then %v", sum, num, err)
			}
			return ended(err)
		}
		sum += part.Add
		num++
	}
}

// echo sends in and wants it back.
func echo(stream ttrpc.ClientStream, in *Item, more uint32) error {
	var out Item
	err := stream.SendMsg(in)
	if err == nil {
		err = stream.RecvMsg(&out)
	}
	return expect(&out, err, in.Seq+more, in.Msg)
}

// finish half-closes and wants the end.
func finish(stream ttrpc.ClientStream) error {
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return ended(stream.RecvMsg(&Item{}))
}

func bidiStream(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).EchoStream(ctx)
	for seq := uint32(0); err == nil && seq < 100; seq++ {
		err = echo(stream, &Item{Seq: seq, Msg: fmt.Sprint("message ", seq)}, 1)
	}
	if err != nil {
		return err
	}
	return finish(stream)
}

func echoNull(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).EchoNull(ctx)
	for seq := uint32(0); err == nil && seq < 100; seq++ {
		err = stream.Send(&Item{Seq: seq, Msg: nullText})
	}
	if err != nil {
		return err
	}
	_, err = stream.CloseAndRecv()
	return err
}

func echoNullStream(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).EchoNullStream(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		for seq := uint32(0); seq < 100; seq++ {
			if err := stream.Send(&Item{Seq: seq, Msg: nullText}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	number := 0
	for ; err == nil; number++ {
		_, err = stream.Recv()
	}
	if number != 1001 {
		return fmt.Errorf("%d answers, then %v", number-1, err)
	}
	return errors.Join(ended(err), <-sent)
}

func emptyPayload(ctx context.Context, client *ttrpc.Client) error {
	for _, in := range []*emptypb.Empty{nil, {}} {
		stream, err := streaming.NewTTRPCStreamingClient(client).EmptyPayloadStream(ctx, in)
		if err != nil {
			return err
		}
		for seq := uint32(1); seq <= 2; seq++ {
			out, err := stream.Recv()
			if err = expect(out, err, seq, ""); err != nil {
				return err
			}
		}
		if _, err = stream.Recv(); ended(err) != nil {
			return ended(err)
		}
	}
	return nil
}

// Empty messages in the middle of a stream both ways, a stream without any, and an empty result.
func streamEmpty(ctx context.Context, client *ttrpc.Client) error {
	stream, err := streaming.NewTTRPCStreamingClient(client).EchoStream(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		if err := echo(stream, &Item{}, 1); err != nil {
			return fmt.Errorf("empty from the client: %w", err)
		}
		if err := echo(stream, &Item{Seq: math.MaxUint32}, 1); err != nil {
			return fmt.Errorf("empty from the server: %w", err)
		}
	}
	if err := finish(stream); err != nil {
		return err
	}
	if stream, err = streaming.NewTTRPCStreamingClient(client).EchoStream(ctx); err != nil {
		return err
	}
	if err := finish(stream); err != nil {
		return fmt.Errorf("no message at all: %w", err)
	}
	sums, err := streaming.NewTTRPCStreamingClient(client).SumStream(ctx)
	if err != nil {
		return err
	}
	sum, err := sums.CloseAndRecv()
	if err == nil && (sum.Sum != 0 || sum.Num != 0) {
		err = fmt.Errorf("sum %d of %d, of none", sum.Sum, sum.Num)
	}
	return err
}

func streamStatus(ctx context.Context, client *ttrpc.Client) error {
	stream, err := watch(ctx, client, "Fail", &Item{Seq: uint32(codes.DataLoss), Msg: "lost"})
	if err != nil {
		return err
	}
	for seq := uint32(0); seq < 2; seq++ {
		var out Item
		err := stream.RecvMsg(&out)
		if err = expect(&out, err, seq, ""); err != nil {
			return err
		}
	}
	err = stream.RecvMsg(&Item{})
	if got, _ := status.FromError(err); got.Code() != codes.DataLoss || got.Message() != "lost" {
		return fmt.Errorf("ended with %v", err)
	}
	if stream, err = watch(ctx, client, "Missing", &Item{}); err == nil {
		err = stream.RecvMsg(&Item{})
	}
	return expectCode(ctx, client, err, codes.Unimplemented)
}

func streamMetadata(ctx context.Context, client *ttrpc.Client) error {
	stream, err := watch(withMetadata(ctx), client, "Values", &Item{Msg: "mixed-case"})
	if err != nil {
		return err
	}
	for i, value := range []string{"one", "two", "three"} {
		var out Item
		err := stream.RecvMsg(&out)
		if err = expect(&out, err, uint32(i), value); err != nil {
			return err
		}
	}
	return ended(stream.RecvMsg(&Item{}))
}

func streamDeadline(ctx context.Context, client *ttrpc.Client) error {
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	stream, err := client.NewStream(limited, bothWays, "interop.Flow", "Hold", nil)
	if err != nil {
		return err
	}
	err = stream.RecvMsg(&Item{})
	if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("ended with %v", err)
	}
	return unary(ctx, client)
}

func streamMax(ctx context.Context, client *ttrpc.Client) error {
	stream, err := client.NewStream(ctx, bothWays, "interop.Flow", "Hold", nil)
	if err != nil {
		return err
	}
	for range 3 {
		if err := echo(stream, &Item{Msg: strings.Repeat("y", limit-5)}, 0); err != nil {
			return errors.New("the message did not come back")
		}
	}
	return finish(stream)
}

func streamKept(ctx context.Context, client *ttrpc.Client) error {
	stream, err := client.NewStream(ctx, bothWays, "interop.Flow", "Hold", nil)
	if err != nil {
		return err
	}
	err = stream.SendMsg(&Item{Msg: strings.Repeat("y", limit-4)})
	if status.Code(err) != codes.ResourceExhausted {
		return fmt.Errorf("sending ended with %v", err)
	}
	if err := echo(stream, &Item{Seq: 5, Msg: "small"}, 0); err != nil {
		return err
	}
	return finish(stream)
}

func streamBack(ctx context.Context, client *ttrpc.Client) error {
	stream, err := watch(ctx, client, "Fill", &Item{Seq: limit + 1})
	if err == nil {
		err = stream.RecvMsg(&Item{})
	}
	return expectCode(ctx, client, err, codes.ResourceExhausted)
}

// All are open at the same time: none ends before each has had its answer.
func concurrentStreams(ctx context.Context, client *ttrpc.Client) error {
	var opened sync.WaitGroup
	opened.Add(many)
	return together(many, func(i int) error {
		stream, err := streaming.NewTTRPCStreamingClient(client).EchoStream(ctx)
		for round := 0; err == nil && round < 3; round++ {
			err = echo(stream, &Item{Seq: uint32(round), Msg: fmt.Sprint("stream ", i)}, 1)
		}
		opened.Done()
		if err != nil {
			return err
		}
		opened.Wait()
		return finish(stream)
	})
}

var streamScenarios = []scenario{
	{name: "client_stream", run: clientStream},
	{name: "server_stream", run: serverStreaming},
	{name: "bidirectional", run: bidiStream},
	{name: "one_empty_answer", run: echoNull},
	{name: "empty_answers", run: echoNullStream},
	{name: "empty_request", run: emptyPayload},
	{name: "stream_empty_messages", run: streamEmpty},
	{name: "stream_status", run: streamStatus},
	{name: "stream_metadata", run: streamMetadata},
	{name: "stream_deadline", run: streamDeadline},
	{name: "stream_4194304", run: streamMax},
	{name: "stream_4194305_kept", run: streamKept},
	{name: "stream_4194305_back", run: streamBack},
	{name: "streams_1000", run: concurrentStreams},
}
