//go:build !unary

// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/containerd/ttrpc/integration/streaming"

// Item is interop.Item: the same on the wire.
type Item = streaming.EchoPayload
