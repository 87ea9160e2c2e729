//go:build unary

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/containerd/ttrpc"
)

// Item is interop.Item, for the library as it was before streams.
type Item struct {
	Seq uint32 `protobuf:"varint,1,opt,name=seq,proto3"`
	Msg string `protobuf:"bytes,2,opt,name=msg,proto3"`
}

func (i *Item) Reset()         { *i = Item{} }
func (i *Item) String() string { return fmt.Sprintf("%d %q", i.Seq, i.Msg) }
func (i *Item) ProtoMessage()  {}

func registerStreams(*ttrpc.Server) {}

var streamScenarios []scenario
