// SPDX-License-Identifier: Apache-2.0

use crate::client::{boxed, code, good, none, together, unary, with_metadata, Peer, Scenario};
use crate::item;
use interop::asynchronous::empty::Empty;
use interop::asynchronous::flow_ttrpc::FlowClient;
use interop::asynchronous::probe::Item;
use interop::asynchronous::streaming::{EchoPayload, Part, Sum};
use interop::asynchronous::streaming_ttrpc::StreamingClient;
use interop::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::time::timeout;
use ttrpc::context::with_duration;
use ttrpc::r#async::ClientStream;
use ttrpc::{Code, Error};

fn streaming(peer: &Peer) -> StreamingClient {
    StreamingClient::new(peer.client.clone())
}

fn flow(peer: &Peer) -> FlowClient {
    FlowClient::new(peer.client.clone())
}

fn payload(seq: u32, msg: &str) -> EchoPayload {
    EchoPayload { seq, msg: msg.to_string(), ..Default::default() }
}

fn at_end<T>(result: ttrpc::Result<T>) -> Outcome {
    match result {
        Err(Error::Eof) => Ok(()),
        Err(error) => Err(format!("not the end but {}", text_of(error))),
        Ok(_) => Err("not the end but a message".to_string()),
    }
}

async fn client_stream(peer: Peer) -> Outcome {
    let mut stream = streaming(&peer).sum_stream(none()).await.map_err(text_of)?;
    for add in -99..=100 {
        stream.send(&Part { add, ..Default::default() }).await.map_err(text_of)?;
    }
    let sum = stream.close_and_recv().await.map_err(text_of)?;
    same((sum.sum, sum.num), (100, 200))
}

async fn server_stream(peer: Peer) -> Outcome {
    let request = Sum { sum: 392, num: 30, ..Default::default() };
    let mut stream = streaming(&peer).divide_stream(none(), &request).await.map_err(text_of)?;
    let (mut sum, mut num) = (0, 0);
    while let Some(part) = stream.recv().await.map_err(text_of)? {
        sum += part.add;
        num += 1;
    }
    same((sum, num), (392, 30))
}

type Echo = ClientStream<EchoPayload, EchoPayload>;

// Sends a message and wants it back, with seq + 1.
async fn echo(stream: &mut Echo, seq: u32, msg: &str) -> Outcome {
    stream.send(&payload(seq, msg)).await.map_err(text_of)?;
    let answer = stream.recv().await.map_err(text_of)?;
    same((answer.seq, answer.msg.as_str()), (seq.wrapping_add(1), msg))
}

async fn finish(mut stream: Echo) -> Outcome {
    stream.close_send().await.map_err(text_of)?;
    at_end(stream.recv().await)
}

async fn bidirectional(peer: Peer) -> Outcome {
    let mut stream = streaming(&peer).echo_stream(none()).await.map_err(text_of)?;
    for seq in 0..100 {
        echo(&mut stream, seq, &format!("message {seq}")).await?;
    }
    finish(stream).await
}

async fn echo_null(peer: Peer) -> Outcome {
    let mut stream = streaming(&peer).echo_null(none()).await.map_err(text_of)?;
    for seq in 0..100 {
        stream.send(&payload(seq, NULL_TEXT)).await.map_err(text_of)?;
    }
    same(stream.close_and_recv().await.map_err(text_of)?, Empty::new())
}

async fn echo_null_stream(peer: Peer) -> Outcome {
    let (sender, mut receiver) =
        streaming(&peer).echo_null_stream(none()).await.map_err(text_of)?.split();
    let sending = tokio::spawn(async move {
        for seq in 0..100 {
            sender.send(&payload(seq, NULL_TEXT)).await?;
        }
        sender.close_send().await
    });
    for number in 0..1000 {
        receiver.recv().await.map_err(|error| format!("{number}: {}", text_of(error)))?;
    }
    at_end(receiver.recv().await)?;
    sending.await.map_err(text_of)?.map_err(text_of)
}

async fn empty_payload(peer: Peer) -> Outcome {
    let empty = Empty::new();
    let mut stream =
        streaming(&peer).empty_payload_stream(none(), &empty).await.map_err(text_of)?;
    for seq in 1..=2 {
        same(stream.recv().await.map_err(text_of)?, Some(payload(seq, "")))?;
    }
    same(stream.recv().await.map_err(text_of)?, None)
}

// Empty messages in the middle of a stream both ways, a stream without any, and an empty result.
async fn empty_messages(peer: Peer) -> Outcome {
    let mut stream = streaming(&peer).echo_stream(none()).await.map_err(text_of)?;
    for _ in 0..3 {
        echo(&mut stream, 0, "").await?;
        echo(&mut stream, u32::MAX, "").await?;
    }
    finish(stream).await?;
    finish(streaming(&peer).echo_stream(none()).await.map_err(text_of)?).await?;
    let mut sums = streaming(&peer).sum_stream(none()).await.map_err(text_of)?;
    same(sums.close_and_recv().await.map_err(text_of)?, Sum::new())
}

async fn status(peer: Peer) -> Outcome {
    let request = item(Code::DATA_LOSS as u32, "lost");
    let mut stream = flow(&peer).fail(none(), &request).await.map_err(text_of)?;
    for seq in 0..2 {
        same(stream.recv().await.map_err(text_of)?, Some(item(seq, "")))?;
    }
    match stream.recv().await {
        Err(Error::RpcStatus(status)) => {
            same((status.code(), status.message.as_str()), (Code::DATA_LOSS, "lost"))
        }
        other => Err(text_of(other)),
    }
}

async fn metadata(peer: Peer) -> Outcome {
    let request = item(0, "mixed-case");
    let mut stream = flow(&peer).values(with_metadata(), &request).await.map_err(text_of)?;
    for (i, value) in ["one", "two", "three"].into_iter().enumerate() {
        same(stream.recv().await.map_err(text_of)?, Some(item(i as u32, value)))?;
    }
    same(stream.recv().await.map_err(text_of)?, None)
}

async fn deadline(peer: Peer) -> Outcome {
    let context = with_duration(Duration::from_millis(100));
    let mut stream = flow(&peer).hold(context).await.map_err(text_of)?;
    let result = timeout(PATIENCE, stream.recv()).await.map_err(|_| "it never ended")?;
    timed_out(result)?;
    unary(peer).await
}

async fn largest(peer: Peer) -> Outcome {
    let mut stream = flow(&peer).hold(none()).await.map_err(text_of)?;
    let message = item(0, &"y".repeat(LIMIT - 5));
    for _ in 0..3 {
        stream.send(&message).await.map_err(text_of)?;
        same(stream.recv().await.map_err(text_of)? == message, true)?;
    }
    stream.close_send().await.map_err(text_of)?;
    at_end(stream.recv().await)
}

async fn kept(peer: Peer) -> Outcome {
    let mut stream = flow(&peer).hold(none()).await.map_err(text_of)?;
    refused(stream.send(&item(0, &"y".repeat(LIMIT - 4))).await)?;
    stream.send(&item(5, "small")).await.map_err(text_of)?;
    good(stream.recv().await, 5, "small")?;
    stream.close_send().await.map_err(text_of)?;
    at_end(stream.recv().await)
}

async fn back(peer: Peer) -> Outcome {
    let request = item(LIMIT as u32 + 1, "");
    let mut stream = flow(&peer).fill(none(), &request).await.map_err(text_of)?;
    let result = stream.recv().await.map(Option::<Item>::unwrap_or_default);
    code(peer, result, Code::RESOURCE_EXHAUSTED).await
}

// All are open at the same time: none ends before each has had its answers.
async fn concurrent(peer: Peer) -> Outcome {
    let barrier = Arc::new(Barrier::new(MANY as usize));
    together(MANY, |i| {
        let (client, barrier) = (streaming(&peer), barrier.clone());
        async move {
            let mut stream = client.echo_stream(none()).await.map_err(text_of)?;
            let mut outcome = Ok(());
            for seq in 0..3 {
                outcome = outcome.and(echo(&mut stream, seq, &format!("stream {i}")).await);
            }
            barrier.wait().await;
            outcome?;
            finish(stream).await
        }
    })
    .await?;
    good(peer.probe.echo(none(), &item(1, "")).await, 2, "")
}

pub fn scenarios() -> Vec<Scenario> {
    vec![
        ("client_stream", boxed(client_stream)),
        ("server_stream", boxed(server_stream)),
        ("bidirectional", boxed(bidirectional)),
        ("one_empty_answer", boxed(echo_null)),
        ("empty_answers", boxed(echo_null_stream)),
        ("empty_request", boxed(empty_payload)),
        ("stream_empty_messages", boxed(empty_messages)),
        ("stream_status", boxed(status)),
        ("stream_metadata", boxed(metadata)),
        ("stream_deadline", boxed(deadline)),
        ("stream_4194304", boxed(largest)),
        ("stream_4194305_kept", boxed(kept)),
        ("stream_4194305_back", boxed(back)),
        ("streams_1000", boxed(concurrent)),
    ]
}
