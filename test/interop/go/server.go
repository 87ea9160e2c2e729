// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Waits and Holds, since the start.
var begun, cancelled atomic.Uint32

// meeting lets calls wait until a number of them have come.
type meeting struct {
	sync.Mutex
	waiting []chan struct{}
}

func (m *meeting) join(ctx context.Context, number uint32) error {
	done := make(chan struct{})
	m.Lock()
	m.waiting = append(m.waiting, done)
	if uint32(len(m.waiting)) >= number {
		for _, other := range m.waiting {
			close(other)
		}
		m.waiting = nil
	}
	m.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var (
	meet meeting
	stop = make(chan struct{})
)

func values(ctx context.Context, key string) []string {
	md, _ := ttrpc.GetMetadata(ctx)
	list, _ := md.Get(key)
	return list
}

func wait(ctx context.Context, in *Item) (*Item, error) {
	begun.Add(1)
	select {
	case <-time.After(time.Duration(in.Seq) * time.Millisecond):
		return in, nil
	case <-ctx.Done():
		cancelled.Add(1)
		return nil, ctx.Err()
	}
}

func deadline(ctx context.Context, _ *Item) (*Item, error) {
	at, set := ctx.Deadline()
	if !set {
		return &Item{}, nil
	}
	return &Item{Seq: uint32(max(1, time.Until(at).Milliseconds()))}, nil
}

// The tag and the length of the payload, and those of the text in it.
const fillOverhead = 5 + 5

var probe = map[string]func(context.Context, *Item) (*Item, error){
	"Echo": func(_ context.Context, in *Item) (*Item, error) {
		return &Item{Seq: in.Seq + 1, Msg: in.Msg}, nil
	},
	"Nothing": func(context.Context, *Item) (*Item, error) { return &Item{}, nil },
	"Metadata": func(ctx context.Context, in *Item) (*Item, error) {
		list := values(ctx, in.Msg)
		return &Item{Seq: uint32(len(list)), Msg: strings.Join(list, ",")}, nil
	},
	"Deadline": deadline,
	"Wait":     wait,
	"Cancelled": func(context.Context, *Item) (*Item, error) {
		return &Item{Seq: cancelled.Load(), Msg: fmt.Sprint(begun.Load())}, nil
	},
	"Fail": func(_ context.Context, in *Item) (*Item, error) {
		return nil, status.Error(codes.Code(in.Seq), in.Msg)
	},
	"Meet": func(ctx context.Context, in *Item) (*Item, error) {
		return in, meet.join(ctx, in.Seq)
	},
	"Size": func(_ context.Context, in *Item) (*Item, error) {
		return &Item{Seq: uint32(len(in.Msg) & math.MaxUint32)}, nil
	},
	"Fill": func(_ context.Context, in *Item) (*Item, error) {
		return &Item{Msg: strings.Repeat("x", int(in.Seq)-fillOverhead)}, nil
	},
	"Stop": func(context.Context, *Item) (*Item, error) {
		close(stop)
		return &Item{}, nil
	},
	"Die": func(context.Context, *Item) (*Item, error) {
		os.Exit(9)
		return nil, nil
	},
}

// unaryMethods makes what the library calls of functions with types.
func unaryMethods() map[string]ttrpc.Method {
	methods := map[string]ttrpc.Method{}
	for name, handler := range probe {
		methods[name] = func(ctx context.Context, decode func(interface{}) error) (interface{}, error) {
			var in Item
			if err := decode(&in); err != nil {
				return nil, err
			}
			out, err := handler(ctx, &in)
			if err != nil {
				return nil, err
			}
			return out, nil
		}
	}
	return methods
}

func serve(address string) error {
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	server.Register("interop.Probe", unaryMethods())
	registerStreams(server)
	listener, err := net.Listen("unix", address)
	if err != nil {
		return err
	}
	os.Stdout.WriteString("ready\n")
	go func() { _ = server.Serve(context.Background(), listener) }()
	<-stop
	return server.Shutdown(context.Background())
}
