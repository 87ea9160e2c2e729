// SPDX-License-Identifier: Apache-2.0

use crate::item;
use async_trait::async_trait;
use interop::asynchronous::empty::Empty;
use interop::asynchronous::flow_ttrpc::{create_flow, Flow};
use interop::asynchronous::probe::Item;
use interop::asynchronous::probe_ttrpc::{create_probe, Probe};
use interop::asynchronous::streaming::{EchoPayload, Part, Sum};
use interop::asynchronous::streaming_ttrpc::{create_streaming, Streaming};
use interop::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{watch, Notify};
use ttrpc::r#async::{
    Server, ServerStream, ServerStreamReceiver, ServerStreamSender, TtrpcContext,
};
use ttrpc::{get_status, Code, Error, Result};

static BEGUN: AtomicU32 = AtomicU32::new(0);
static CANCELLED: AtomicU32 = AtomicU32::new(0);

// Dropped before its work was done: the library cancels by dropping.
struct Guard {
    done: bool,
}

impl Guard {
    fn begin() -> Guard {
        BEGUN.fetch_add(1, SeqCst);
        Guard { done: false }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.done {
            CANCELLED.fetch_add(1, SeqCst);
        }
    }
}

fn values(metadata: &HashMap<String, Vec<String>>, key: &str) -> Vec<String> {
    metadata.get(key).cloned().unwrap_or_default()
}

fn failure(request: Item) -> Error {
    let mut status = get_status(Code::UNKNOWN, request.msg);
    status.code = protobuf::EnumOrUnknown::from_i32(request.seq as i32);
    Error::RpcStatus(status)
}

struct ProbeService {
    met: watch::Sender<u32>,
    stop: Arc<Notify>,
}

#[async_trait]
impl Probe for ProbeService {
    async fn echo(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        Ok(item(request.seq.wrapping_add(1), &request.msg))
    }

    async fn nothing(&self, _: &TtrpcContext, _: Item) -> Result<Item> {
        Ok(Item::new())
    }

    async fn metadata(&self, context: &TtrpcContext, request: Item) -> Result<Item> {
        let values = values(&context.metadata, &request.msg);
        Ok(item(values.len() as u32, &values.join(",")))
    }

    async fn deadline(&self, context: &TtrpcContext, _: Item) -> Result<Item> {
        Ok(item((context.timeout_nano / 1_000_000) as u32, ""))
    }

    async fn wait(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        let mut guard = Guard::begin();
        tokio::time::sleep(Duration::from_millis(request.seq.into())).await;
        guard.done = true;
        Ok(request)
    }

    async fn cancelled(&self, _: &TtrpcContext, _: Item) -> Result<Item> {
        Ok(item(CANCELLED.load(SeqCst), &BEGUN.load(SeqCst).to_string()))
    }

    async fn fail(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        Err(failure(request))
    }

    async fn meet(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        let mut enough = 0;
        self.met.send_modify(|met| {
            *met += 1;
            enough = met.next_multiple_of(request.seq);
        });
        let mut met = self.met.subscribe();
        met.wait_for(|number| *number >= enough).await.unwrap();
        Ok(request)
    }

    async fn size(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        Ok(item(request.msg.len() as u32, ""))
    }

    async fn fill(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        Ok(item(0, &answer_text(request.seq as usize)))
    }

    async fn stop(&self, _: &TtrpcContext, _: Item) -> Result<Item> {
        self.stop.notify_one();
        Ok(Item::new())
    }

    async fn die(&self, _: &TtrpcContext, _: Item) -> Result<Item> {
        std::process::exit(9)
    }
}

struct FlowService;

#[async_trait]
impl Flow for FlowService {
    async fn values(
        &self,
        context: &TtrpcContext,
        request: Item,
        stream: ServerStreamSender<Item>,
    ) -> Result<()> {
        for (i, value) in values(&context.metadata, &request.msg).iter().enumerate() {
            stream.send(&item(i as u32, value)).await?;
        }
        Ok(())
    }

    async fn fail(
        &self,
        _: &TtrpcContext,
        request: Item,
        stream: ServerStreamSender<Item>,
    ) -> Result<()> {
        for seq in 0..2 {
            stream.send(&item(seq, "")).await?;
        }
        Err(failure(request))
    }

    async fn hold(&self, _: &TtrpcContext, mut stream: ServerStream<Item, Item>) -> Result<()> {
        let mut guard = Guard::begin();
        while let Some(message) = stream.recv().await? {
            stream.send(&message).await?;
        }
        guard.done = true;
        Ok(())
    }

    async fn fill(
        &self,
        _: &TtrpcContext,
        request: Item,
        stream: ServerStreamSender<Item>,
    ) -> Result<()> {
        stream.send(&item(0, &"x".repeat(request.seq as usize - 5))).await
    }
}

struct StreamingService;

fn check_null(message: &EchoPayload, seq: u32) -> Result<()> {
    if message.seq == seq && message.msg == NULL_TEXT {
        return Ok(());
    }
    Err(Error::Others(format!("message {} {}, not {seq}", message.seq, message.msg)))
}

fn plus_one(mut message: EchoPayload) -> EchoPayload {
    message.seq = message.seq.wrapping_add(1);
    message
}

#[async_trait]
impl Streaming for StreamingService {
    async fn echo(&self, _: &TtrpcContext, request: EchoPayload) -> Result<EchoPayload> {
        Ok(plus_one(request))
    }

    async fn echo_stream(
        &self,
        _: &TtrpcContext,
        mut stream: ServerStream<EchoPayload, EchoPayload>,
    ) -> Result<()> {
        while let Some(message) = stream.recv().await? {
            stream.send(&plus_one(message)).await?;
        }
        Ok(())
    }

    async fn sum_stream(
        &self,
        _: &TtrpcContext,
        mut stream: ServerStreamReceiver<Part>,
    ) -> Result<Sum> {
        let mut sum = Sum::new();
        while let Some(part) = stream.recv().await? {
            sum.sum += part.add;
            sum.num += 1;
        }
        Ok(sum)
    }

    // The first and the last part are empty messages.
    async fn divide_stream(
        &self,
        _: &TtrpcContext,
        sum: Sum,
        stream: ServerStreamSender<Part>,
    ) -> Result<()> {
        let mut left = sum.sum;
        for i in 0..sum.num {
            let add = match i {
                _ if i == 0 || i == sum.num - 1 => 0,
                _ if i == sum.num - 2 => left,
                _ => i * 7 % 100 - 50,
            };
            left -= add;
            stream.send(&Part { add, ..Default::default() }).await?;
        }
        Ok(())
    }

    async fn echo_null(
        &self,
        _: &TtrpcContext,
        mut stream: ServerStreamReceiver<EchoPayload>,
    ) -> Result<Empty> {
        let mut seq = 0;
        while let Some(message) = stream.recv().await? {
            check_null(&message, seq)?;
            seq += 1;
        }
        Ok(Empty::new())
    }

    async fn echo_null_stream(
        &self,
        _: &TtrpcContext,
        mut stream: ServerStream<Empty, EchoPayload>,
    ) -> Result<()> {
        let mut seq = 0;
        while let Some(message) = stream.recv().await? {
            check_null(&message, seq)?;
            seq += 1;
            for _ in 0..10 {
                stream.send(&Empty::new()).await?;
            }
        }
        Ok(())
    }

    async fn empty_payload_stream(
        &self,
        _: &TtrpcContext,
        _: Empty,
        stream: ServerStreamSender<EchoPayload>,
    ) -> Result<()> {
        for seq in 1..=2 {
            stream.send(&EchoPayload { seq, ..Default::default() }).await?;
        }
        Ok(())
    }
}

pub async fn serve(address: &str) {
    let stop = Arc::new(Notify::new());
    let probe = ProbeService { met: watch::channel(0).0, stop: stop.clone() };
    let mut server = Server::new()
        .bind(address)
        .unwrap()
        .register_service(create_probe(Arc::new(probe)))
        .register_service(create_flow(Arc::new(FlowService)))
        .register_service(create_streaming(Arc::new(StreamingService)));
    server.start().await.unwrap();
    println!("ready");
    stop.notified().await;
    server.shutdown().await.unwrap();
}
