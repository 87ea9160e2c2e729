// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	service1 = "interop.Probe"
	limit    = 4194304
	many     = 1000
	patience = 60 * time.Second
)

// scenario is one row of the table. It gets a connection of its own.
type scenario struct {
	name string
	run  func(context.Context, *ttrpc.Client) error
}

var address string

func dial() (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", address)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn), nil
}

func call(ctx context.Context, client *ttrpc.Client, method string, in *Item) (*Item, error) {
	var out Item
	err := client.Call(ctx, service1, method, in, &out)
	return &out, err
}

func expect(out *Item, err error, seq uint32, msg string) error {
	if err == nil && (out.Seq != seq || out.Msg != msg) {
		err = fmt.Errorf("got %d %q, not %d %q", out.Seq, out.Msg, seq, msg)
	}
	return err
}

// expectCode wants a failure of that code, and a connection that goes on.
func expectCode(ctx context.Context, client *ttrpc.Client, err error, code codes.Code) error {
	if err == nil || status.Code(err) != code {
		return fmt.Errorf("ended with %v, not %v", err, code)
	}
	return unary(ctx, client)
}

func unary(ctx context.Context, client *ttrpc.Client) error {
	for seq := uint32(0); seq < 100; seq++ {
		out, err := call(ctx, client, "Echo", &Item{Seq: seq, Msg: "héllo"})
		if err = expect(out, err, seq+1, "héllo"); err != nil {
			return err
		}
	}
	return nil
}

func emptyMessages(ctx context.Context, client *ttrpc.Client) error {
	out, err := call(ctx, client, "Nothing", &Item{Seq: 1, Msg: "full"})
	if err = expect(out, err, 0, ""); err != nil {
		return fmt.Errorf("empty answer: %w", err)
	}
	out, err = call(ctx, client, "Echo", &Item{})
	if err = expect(out, err, 1, ""); err != nil {
		return fmt.Errorf("empty request: %w", err)
	}
	out, err = call(ctx, client, "Nothing", &Item{})
	return expect(out, err, 0, "")
}

func statuses(ctx context.Context, client *ttrpc.Client) error {
	for code := codes.Code(1); code <= 16; code++ {
		_, err := call(ctx, client, "Fail", &Item{Seq: uint32(code), Msg: "this failed"})
		if got, _ := status.FromError(err); got.Code() != code || got.Message() != "this failed" {
			return fmt.Errorf("code %d: got %v", code, err)
		}
	}
	_, err := call(ctx, client, "Missing", &Item{})
	if status.Code(err) != codes.Unimplemented {
		return fmt.Errorf("unknown method: %v", err)
	}
	err = client.Call(ctx, "interop.Missing", "Echo", &Item{}, &Item{})
	return expectCode(ctx, client, err, codes.Unimplemented)
}

func withMetadata(ctx context.Context) context.Context {
	md := ttrpc.MD{}
	md.Set("Mixed-Case", "one", "two")
	md.Append("mixed-case", "three")
	md.Set("other", "")
	return ttrpc.WithMetadata(ctx, md)
}

func metadata(ctx context.Context, client *ttrpc.Client) error {
	out, err := call(withMetadata(ctx), client, "Metadata", &Item{Msg: "mixed-case"})
	if err = expect(out, err, 3, "one,two,three"); err != nil {
		return err
	}
	out, err = call(withMetadata(ctx), client, "Metadata", &Item{Msg: "other"})
	if err = expect(out, err, 1, ""); err != nil {
		return err
	}
	out, err = call(ctx, client, "Metadata", &Item{Msg: "other"})
	return expect(out, err, 0, "")
}

func deadlineSeen(ctx context.Context, client *ttrpc.Client) error {
	limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	out, err := call(limited, client, "Deadline", &Item{})
	if err == nil && (out.Seq == 0 || out.Seq > 600000) {
		err = fmt.Errorf("the server has %d ms", out.Seq)
	}
	return err
}

// counts asks how many Waits began and were cancelled.
func counts(ctx context.Context, client *ttrpc.Client) (begun, ended uint32, err error) {
	out, err := call(ctx, client, "Cancelled", &Item{})
	if err != nil {
		return 0, 0, err
	}
	number, err := strconv.ParseUint(out.Msg, 10, 32)
	return uint32(number), out.Seq, err
}

// await polls until those many Waits began and were cancelled.
func await(ctx context.Context, client *ttrpc.Client, begun, ended uint32) error {
	for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		b, e, err := counts(ctx, client)
		if err != nil || (b == begun && e == ended) {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d began, %d ended early, not %d and %d", b, e, begun, ended)
		}
	}
}

func deadlinePassed(ctx context.Context, client *ttrpc.Client) error {
	begun, ended, err := counts(ctx, client)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = call(limited, client, "Wait", &Item{Seq: 600000})
	if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("ended with %v", err)
	}
	return await(ctx, client, begun+1, ended+1)
}

// text is the msg that makes the frame of a request without deadline that large.
func text(method string, frame int) string {
	overhead := 2 + len(service1) + 2 + len(method) + 5 + 5
	return strings.Repeat("x", frame-overhead)
}

func requestMax(ctx context.Context, client *ttrpc.Client) error {
	msg := text("Size", limit)
	out, err := call(context.WithoutCancel(ctx), client, "Size", &Item{Msg: msg})
	return expect(out, err, uint32(len(msg)), "")
}

func requestOver(ctx context.Context, client *ttrpc.Client) error {
	_, err := call(context.WithoutCancel(ctx), client, "Size", &Item{Msg: text("Size", limit+1)})
	return expectCode(ctx, client, err, codes.ResourceExhausted)
}

func answerMax(ctx context.Context, client *ttrpc.Client) error {
	out, err := call(ctx, client, "Fill", &Item{Seq: limit})
	if err == nil && len(out.Msg) != limit-10 {
		err = fmt.Errorf("%d bytes came", len(out.Msg))
	}
	return err
}

func answerOver(ctx context.Context, client *ttrpc.Client) error {
	_, err := call(ctx, client, "Fill", &Item{Seq: limit + 1})
	return expectCode(ctx, client, err, codes.ResourceExhausted)
}

// together runs so many at a time, and returns one of the errors.
func together(number int, run func(int) error) error {
	var group sync.WaitGroup
	errs := make(chan error, number)
	for i := 0; i < number; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			errs <- run(i)
		}(i)
	}
	group.Wait()
	for i := 0; i < number; i++ {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func concurrentCalls(ctx context.Context, client *ttrpc.Client) error {
	return together(many, func(i int) error {
		msg := fmt.Sprint("call ", i)
		out, err := call(ctx, client, "Meet", &Item{Seq: many, Msg: msg})
		return expect(out, err, many, msg)
	})
}

func clientGone(ctx context.Context, client *ttrpc.Client) error {
	begun, ended, err := counts(ctx, client)
	if err != nil {
		return err
	}
	other, err := dial()
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- together(3, func(int) error {
			_, err := call(ctx, other, "Wait", &Item{Seq: 600000})
			if err == nil {
				err = errors.New("a call ended well")
			} else if ctx.Err() == nil {
				err = nil
			}
			return err
		})
	}()
	if err = await(ctx, client, begun+3, ended); err == nil {
		other.Close()
		err = await(ctx, client, begun+3, ended+3)
	}
	other.Close()
	return errors.Join(err, <-failed)
}

func serverGone(ctx context.Context, client *ttrpc.Client) error {
	err := together(10, func(i int) error {
		if i == 9 {
			time.Sleep(50 * time.Millisecond)
			_, err := call(ctx, client, "Die", &Item{})
			if err == nil {
				return errors.New("an answer came")
			}
			return nil
		}
		_, err := call(ctx, client, "Wait", &Item{Seq: 600000})
		if err == nil || ctx.Err() != nil {
			return fmt.Errorf("ended with %v", err)
		}
		return nil
	})
	if err == nil {
		if _, err := call(ctx, client, "Echo", &Item{}); !errors.Is(err, ttrpc.ErrClosed) {
			return fmt.Errorf("a call on the closed connection ended with %v", err)
		}
	}
	return err
}

// serverStops: what is under way is answered, and then the connection ends.
func serverStops(ctx context.Context, client *ttrpc.Client) error {
	begun, ended, err := counts(ctx, client)
	if err != nil {
		return err
	}
	err = together(10, func(i int) error {
		if i < 9 {
			out, err := call(ctx, client, "Wait", &Item{Seq: 2000})
			return expect(out, err, 2000, "")
		}
		err := await(ctx, client, begun+9, ended)
		if err == nil {
			_, err = call(ctx, client, "Stop", &Item{})
		}
		return err
	})
	if err == nil {
		err = client.UserOnCloseWait(ctx)
	}
	return err
}

var scenarios = []scenario{
	{name: "unary", run: unary},
	{name: "empty_messages", run: emptyMessages},
	{name: "status", run: statuses},
	{name: "metadata", run: metadata},
	{name: "deadline_seen", run: deadlineSeen},
	{name: "deadline_passed", run: deadlinePassed},
	{name: "request_4194304", run: requestMax},
	{name: "request_4194305", run: requestOver},
	{name: "answer_4194304", run: answerMax},
	{name: "answer_4194305", run: answerOver},
	{name: "calls_1000", run: concurrentCalls},
	{name: "client_gone", run: clientGone},
}

// Each needs a server of its own, and is run only when asked for.
var lastScenarios = []scenario{
	{name: "server_gone", run: serverGone},
	{name: "server_stops", run: serverStops},
}

// attempt runs one scenario, prints its line and tells whether it counts as passed.
func attempt(s scenario) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	client, err := dial()
	if err == nil {
		err = s.run(ctx, client)
		client.Close()
	}
	if err != nil {
		fmt.Printf("not ok %s: %v\n", s.name, err)
		return false
	}
	fmt.Printf("ok %s\n", s.name)
	return true
}

func main() {
	if len(os.Args) < 3 || (os.Args[1] != "server" && os.Args[1] != "client") {
		fmt.Fprintln(os.Stderr, "usage: peer server SOCKET | peer client SOCKET [SCENARIO]")
		os.Exit(2)
	}
	address = os.Args[2]
	if os.Args[1] == "server" {
		if err := serve(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	chosen := append(scenarios, streamScenarios...)
	if len(os.Args) > 3 {
		chosen = slices.DeleteFunc(append(chosen, lastScenarios...), func(s scenario) bool {
			return s.name != os.Args[3]
		})
	}
	passed := true
	for _, s := range chosen {
		passed = attempt(s) && passed
	}
	if !passed {
		os.Exit(1)
	}
}
