// SPDX-License-Identifier: Apache-2.0

use crate::{item, streams};
use interop::asynchronous::probe::Item;
use interop::asynchronous::probe_ttrpc::ProbeClient;
use interop::*;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use ttrpc::context::{with_duration, Context};
use ttrpc::r#async::Client;
use ttrpc::Code;

#[derive(Clone)]
pub struct Peer {
    pub client: Client,
    pub probe: ProbeClient,
    address: String,
}

async fn connect(address: &str) -> Result<Peer, String> {
    let client = Client::connect(address).await.map_err(text_of)?;
    Ok(Peer { probe: ProbeClient::new(client.clone()), client, address: address.to_string() })
}

pub fn none() -> Context {
    Context::default()
}

pub fn good(result: ttrpc::Result<Item>, seq: u32, msg: &str) -> Outcome {
    same(result.map_err(text_of)?, item(seq, msg))
}

// A failure of that code, and a connection that goes on.
pub async fn code(peer: Peer, result: ttrpc::Result<Item>, wanted: Code) -> Outcome {
    same(code_of(result)?, wanted)?;
    unary(peer).await
}

pub async fn unary(peer: Peer) -> Outcome {
    for seq in 0..100 {
        good(peer.probe.echo(none(), &item(seq, "héllo")).await, seq + 1, "héllo")?;
    }
    Ok(())
}

async fn empty_messages(peer: Peer) -> Outcome {
    good(peer.probe.nothing(none(), &item(1, "full")).await, 0, "")?;
    good(peer.probe.echo(none(), &Item::new()).await, 1, "")?;
    good(peer.probe.nothing(none(), &Item::new()).await, 0, "")
}

async fn statuses(peer: Peer) -> Outcome {
    for number in 1..=16 {
        match peer.probe.fail(none(), &item(number, "this failed")).await {
            Err(ttrpc::Error::RpcStatus(status)) => {
                same(status.code.value(), number as i32)?;
                same(status.message.as_str(), "this failed")?;
            }
            other => return Err(text_of(other)),
        }
    }
    unary(peer).await
}

pub fn with_metadata() -> Context {
    let mut context = none();
    for value in ["one", "two", "three"] {
        context.add("mixed-case".into(), value.into());
    }
    context.add("other".into(), "".into());
    context
}

async fn metadata(peer: Peer) -> Outcome {
    good(peer.probe.metadata(with_metadata(), &item(0, "mixed-case")).await, 3, "one,two,three")?;
    good(peer.probe.metadata(with_metadata(), &item(0, "other")).await, 1, "")?;
    good(peer.probe.metadata(none(), &item(0, "other")).await, 0, "")
}

async fn deadline_seen(peer: Peer) -> Outcome {
    let context = with_duration(Duration::from_secs(600));
    let left = peer.probe.deadline(context, &Item::new()).await.map_err(text_of)?.seq;
    same((1..=600_000).contains(&left), true)
}

async fn counts(peer: &Peer) -> Result<(u32, u32), String> {
    let answer = peer.probe.cancelled(none(), &Item::new()).await.map_err(text_of)?;
    Ok((answer.msg.parse().map_err(text_of)?, answer.seq))
}

// Polls until those many Waits began and were cancelled.
async fn wait_for(peer: &Peer, wanted: (u32, u32)) -> Outcome {
    let end = Instant::now() + PATIENCE;
    while counts(peer).await? != wanted {
        if Instant::now() > end {
            return same(counts(peer).await?, wanted);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn deadline_passed(peer: Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer).await?;
    let context = with_duration(Duration::from_millis(100));
    timed_out(peer.probe.wait(context, &item(FOREVER, "")).await)?;
    wait_for(&peer, (begun + 1, cancelled + 1)).await
}

async fn request_max(peer: Peer) -> Outcome {
    let text = request_text(LIMIT);
    good(peer.probe.size(none(), &item(0, &text)).await, text.len() as u32, "")
}

async fn request_over(peer: Peer) -> Outcome {
    refused(peer.probe.size(none(), &item(0, &request_text(LIMIT + 1))).await)?;
    unary(peer).await
}

async fn answer_max(peer: Peer) -> Outcome {
    let answer = peer.probe.fill(none(), &item(LIMIT as u32, "")).await.map_err(text_of)?;
    same((LIMIT - 12..=LIMIT - 10).contains(&answer.msg.len()), true)
}

async fn answer_over(peer: Peer) -> Outcome {
    let result = peer.probe.fill(none(), &item(LIMIT as u32 + 1, "")).await;
    code(peer, result, Code::RESOURCE_EXHAUSTED).await
}

// Runs so many at a time.
pub async fn together<F>(number: u32, run: impl Fn(u32) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let tasks: Vec<_> = (0..number).map(|i| tokio::spawn(run(i))).collect();
    for task in tasks {
        task.await.map_err(text_of)??;
    }
    Ok(())
}

async fn concurrent_calls(peer: Peer) -> Outcome {
    together(MANY, |i| {
        let probe = peer.probe.clone();
        async move {
            let text = format!("call {i}");
            good(probe.meet(none(), &item(MANY, &text)).await, MANY, &text)
        }
    })
    .await
}

// The connection ends with the last handle on it: of the tasks that wait.
async fn client_gone(peer: Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer).await?;
    let other = connect(&peer.address).await?;
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let probe = other.probe.clone();
            tokio::spawn(async move { probe.wait(none(), &item(FOREVER, "")).await })
        })
        .collect();
    drop(other);
    wait_for(&peer, (begun + 3, cancelled)).await?;
    tasks.iter().for_each(|task| task.abort());
    wait_for(&peer, (begun + 3, cancelled + 3)).await
}

async fn server_gone(peer: Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer).await?;
    together(10, |i| {
        let peer = peer.clone();
        async move {
            let result = if i == 9 {
                wait_for(&peer, (begun + 9, cancelled)).await?;
                peer.probe.die(none(), &Item::new()).await
            } else {
                peer.probe.wait(none(), &item(FOREVER, "")).await
            };
            same(result.is_err(), true)
        }
    })
    .await?;
    same(peer.probe.echo(none(), &Item::new()).await.is_err(), true)
}

// What is under way is answered, and then the connection ends.
async fn server_stops(peer: Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer).await?;
    together(10, |i| {
        let peer = peer.clone();
        async move {
            if i < 9 {
                return good(peer.probe.wait(none(), &item(2000, "")).await, 2000, "");
            }
            wait_for(&peer, (begun + 9, cancelled)).await?;
            good(peer.probe.stop(none(), &Item::new()).await, 0, "")
        }
    })
    .await?;
    same(peer.probe.echo(none(), &Item::new()).await.is_err(), true)
}

pub type Run = Box<dyn Fn(Peer) -> Pin<Box<dyn Future<Output = Outcome>>>>;

pub fn boxed<F: Future<Output = Outcome> + 'static>(run: impl Fn(Peer) -> F + 'static) -> Run {
    Box::new(move |peer| Box::pin(run(peer)))
}

pub type Scenario = (&'static str, Run);

fn scenarios() -> Vec<Scenario> {
    vec![
        ("unary", boxed(unary)),
        ("empty_messages", boxed(empty_messages)),
        ("status", boxed(statuses)),
        ("metadata", boxed(metadata)),
        ("deadline_seen", boxed(deadline_seen)),
        ("deadline_passed", boxed(deadline_passed)),
        ("request_4194304", boxed(request_max)),
        ("request_4194305", boxed(request_over)),
        ("answer_4194304", boxed(answer_max)),
        ("answer_4194305", boxed(answer_over)),
        ("calls_1000", boxed(concurrent_calls)),
        ("client_gone", boxed(client_gone)),
        ("server_gone", boxed(server_gone)),
        ("server_stops", boxed(server_stops)),
    ]
}

async fn attempt(address: &str, run: &Run) -> Outcome {
    let peer = connect(address).await?;
    timeout(2 * PATIENCE, run(peer)).await.map_err(|_| "it takes too long")?
}

pub async fn run(role: &Role) -> bool {
    let mut passed = true;
    for (name, run) in scenarios().into_iter().chain(streams::scenarios()) {
        if role.wants(name) {
            passed &= report(name, attempt(&role.address, &run).await);
        }
    }
    passed
}
