// SPDX-License-Identifier: Apache-2.0

// The Go library beside ours.
//
//	peer server SOCKET
//	peer client SOCKET MILLISECONDS CALLS SIZE UNDERWAY
//
// The messages are those of bench.proto, which the well-known wrappers have the same wire form of.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/log"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ---- server ----

func echo(_ context.Context, unmarshal func(any) error) (any, error) {
	var request wrapperspb.BytesValue
	if err := unmarshal(&request); err != nil {
		return nil, err
	}
	return &wrapperspb.BytesValue{Value: request.Value}, nil
}

func fetch(_ context.Context, unmarshal func(any) error) (any, error) {
	var request wrapperspb.UInt32Value
	if err := unmarshal(&request); err != nil {
		return nil, err
	}
	return &wrapperspb.BytesValue{Value: make([]byte, request.Value)}, nil
}

func talk(_ context.Context, stream ttrpc.StreamServer) (any, error) {
	for {
		var message wrapperspb.BytesValue
		if err := stream.RecvMsg(&message); err != nil {
			return nil, nil
		}
		if err := stream.SendMsg(&message); err != nil {
			return nil, err
		}
	}
}

func serve(path string) {
	check(log.SetLevel("panic")) // it tells of each client that has gone
	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	check(err)
	server.RegisterService("bench.Bench", &ttrpc.ServiceDesc{
		Methods: map[string]ttrpc.Method{"Echo": echo, "Fetch": fetch},
	})
	server.RegisterService("bench.Talker", &ttrpc.ServiceDesc{
		Streams: map[string]ttrpc.Stream{
			"Talk": {Handler: talk, StreamingClient: true, StreamingServer: true},
		},
	})
	listener, err := net.Listen("unix", path)
	check(err)
	fmt.Println("ready")
	check(server.Serve(context.Background(), listener))
}

// ---- client: see meter.h for what is counted and printed ----

type meter struct {
	sync.Mutex
	begin, end, last time.Time
	calls, measured  int
	callsMax         int
	values           []time.Duration
}

func newMeter(milliseconds, callsMax int) *meter {
	length := time.Duration(milliseconds) * time.Millisecond
	now := time.Now()
	return &meter{
		begin: now.Add(length / 10), end: now.Add(length + length/10), last: now,
		callsMax: callsMax, values: make([]time.Duration, 0, 1<<20),
	}
}

func (m *meter) add(each bool) bool {
	now := time.Now()
	m.calls++
	if !now.Before(m.begin) {
		if m.measured == 0 {
			m.begin = m.last
		}
		m.measured++
		if each && len(m.values) < cap(m.values) {
			m.values = append(m.values, now.Sub(m.last))
		}
	}
	m.last = now
	return now.Before(m.end) && (m.callsMax == 0 || m.calls < m.callsMax)
}

func (m *meter) print() {
	var p50, p99 int64
	if n := len(m.values); n > 0 {
		slices.Sort(m.values)
		p50, p99 = m.values[n/2].Nanoseconds(), m.values[n*99/100].Nanoseconds()
	}
	fmt.Println(m.calls, m.measured, m.last.Sub(m.begin).Nanoseconds(), p50, p99)
}

func call(client *ttrpc.Client, request *wrapperspb.BytesValue) {
	var response wrapperspb.BytesValue
	check(client.Call(context.Background(), "bench.Bench", "Echo", request, &response))
	if len(response.Value) != len(request.Value) {
		check(fmt.Errorf("%d bytes came", len(response.Value)))
	}
}

func ask(path string, numbers [4]int) {
	socket, err := net.Dial("unix", path)
	check(err)
	client := ttrpc.NewClient(socket)
	request := &wrapperspb.BytesValue{Value: make([]byte, numbers[2])}
	m := newMeter(numbers[0], numbers[1])
	var group sync.WaitGroup
	for range numbers[3] {
		group.Add(1)
		go func() {
			defer group.Done()
			for goesOn := true; goesOn; {
				call(client, request)
				m.Lock()
				goesOn = m.add(numbers[3] == 1)
				m.Unlock()
			}
		}()
	}
	group.Wait()
	m.print()
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		serve(os.Args[2])
	case len(os.Args) == 7 && os.Args[1] == "client":
		var numbers [4]int
		for i := range numbers {
			number, err := strconv.Atoi(os.Args[3+i])
			check(err)
			numbers[i] = number
		}
		ask(os.Args[2], numbers)
	default:
		check(fmt.Errorf("peer server|client SOCKET ..."))
	}
}
