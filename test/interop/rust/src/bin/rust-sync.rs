// SPDX-License-Identifier: Apache-2.0
//
// The library's synchronous kind: threads, unary calls only.

use interop::synchronous::probe::Item;
use interop::synchronous::probe_ttrpc::{create_probe, Probe, ProbeClient};
use interop::*;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use ttrpc::context::{with_duration, Context};
use ttrpc::{Code, TtrpcContext};

fn item(seq: u32, msg: &str) -> Item {
    Item { seq, msg: msg.to_string(), ..Default::default() }
}

// ---- server ----

#[derive(Default)]
struct Service {
    begun: AtomicU32,
    cancelled: AtomicU32,
    met: Mutex<u32>, // calls of Meet, since the start
    more: Condvar,
    stop: Mutex<Option<mpsc::Sender<()>>>,
}

impl Probe for Service {
    fn echo(&self, _: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        Ok(item(request.seq.wrapping_add(1), &request.msg))
    }

    fn nothing(&self, _: &TtrpcContext, _: Item) -> ttrpc::Result<Item> {
        Ok(Item::new())
    }

    fn metadata(&self, context: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        let none = Vec::new();
        let values = context.metadata.get(&request.msg).unwrap_or(&none);
        Ok(item(values.len() as u32, &values.join(",")))
    }

    fn deadline(&self, context: &TtrpcContext, _: Item) -> ttrpc::Result<Item> {
        Ok(item((context.timeout_nano / 1_000_000) as u32, ""))
    }

    fn wait(&self, context: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        self.begun.fetch_add(1, SeqCst);
        let time = Duration::from_millis(request.seq.into());
        match context.cancel_rx.recv_timeout(time) {
            Err(error) if error.is_timeout() => Ok(request),
            _ => {
                self.cancelled.fetch_add(1, SeqCst);
                Err(ttrpc::Error::RpcStatus(ttrpc::get_status(Code::CANCELLED, "cancelled")))
            }
        }
    }

    fn cancelled(&self, _: &TtrpcContext, _: Item) -> ttrpc::Result<Item> {
        Ok(item(self.cancelled.load(SeqCst), &self.begun.load(SeqCst).to_string()))
    }

    fn fail(&self, _: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        let mut status = ttrpc::Status::new();
        status.code = protobuf::EnumOrUnknown::from_i32(request.seq as i32);
        status.message = request.msg;
        Err(ttrpc::Error::RpcStatus(status))
    }

    fn meet(&self, _: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        let mut met = self.met.lock().unwrap();
        *met += 1;
        self.more.notify_all();
        let enough = met.next_multiple_of(request.seq);
        drop(self.more.wait_while(met, |number| *number < enough).unwrap());
        Ok(request)
    }

    fn size(&self, _: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        Ok(item(request.msg.len() as u32, ""))
    }

    fn fill(&self, _: &TtrpcContext, request: Item) -> ttrpc::Result<Item> {
        Ok(item(0, &answer_text(request.seq as usize)))
    }

    fn stop(&self, _: &TtrpcContext, _: Item) -> ttrpc::Result<Item> {
        self.stop.lock().unwrap().take().unwrap().send(()).unwrap();
        Ok(Item::new())
    }

    fn die(&self, _: &TtrpcContext, _: Item) -> ttrpc::Result<Item> {
        std::process::exit(9)
    }
}

fn serve(address: &str) {
    let (sender, stopped) = mpsc::channel();
    let service = Service { stop: Mutex::new(Some(sender)), ..Default::default() };
    let mut server = ttrpc::Server::new()
        .bind(address)
        .unwrap()
        .register_service(create_probe(Arc::new(service)));
    server.start().unwrap();
    println!("ready");
    stopped.recv().unwrap();
    server.shutdown();
}

// ---- client ----

struct Peer {
    client: ProbeClient,
    address: String,
}

fn connect(address: &str) -> Result<ProbeClient, String> {
    ttrpc::Client::connect(address).map(ProbeClient::new).map_err(text_of)
}

fn good(result: ttrpc::Result<Item>, seq: u32, msg: &str) -> Outcome {
    same(result.map_err(text_of)?, item(seq, msg))
}

// A failure of that code, and a connection that goes on.
fn code(peer: &Peer, result: ttrpc::Result<Item>, wanted: Code) -> Outcome {
    same(code_of(result)?, wanted)?;
    unary(peer)
}

fn none() -> Context {
    Context::default()
}

fn unary(peer: &Peer) -> Outcome {
    (0..100)
        .try_for_each(|seq| good(peer.client.echo(none(), &item(seq, "héllo")), seq + 1, "héllo"))
}

fn empty_messages(peer: &Peer) -> Outcome {
    good(peer.client.nothing(none(), &item(1, "full")), 0, "")?;
    good(peer.client.echo(none(), &Item::new()), 1, "")?;
    good(peer.client.nothing(none(), &Item::new()), 0, "")
}

fn statuses(peer: &Peer) -> Outcome {
    for number in 1..=16 {
        match peer.client.fail(none(), &item(number, "this failed")) {
            Err(ttrpc::Error::RpcStatus(status)) => {
                same(status.code.value(), number as i32)?;
                same(status.message.as_str(), "this failed")?;
            }
            other => return Err(text_of(other)),
        }
    }
    unary(peer)
}

fn metadata(peer: &Peer) -> Outcome {
    let mut context = none();
    for value in ["one", "two", "three"] {
        context.add("mixed-case".into(), value.into());
    }
    context.add("other".into(), "".into());
    let ask = |context, key| peer.client.metadata(context, &item(0, key));
    good(ask(context.clone(), "mixed-case"), 3, "one,two,three")?;
    good(ask(context, "other"), 1, "")?;
    good(ask(none(), "other"), 0, "")
}

fn deadline_seen(peer: &Peer) -> Outcome {
    let context = with_duration(Duration::from_secs(600));
    let left = peer.client.deadline(context, &Item::new()).map_err(text_of)?.seq;
    same((1..=600_000).contains(&left), true)
}

fn counts(client: &ProbeClient) -> Result<(u32, u32), String> {
    let answer = client.cancelled(none(), &Item::new()).map_err(text_of)?;
    Ok((answer.msg.parse().map_err(text_of)?, answer.seq))
}

// Polls until those many Waits began and were cancelled.
fn wait_for(client: &ProbeClient, wanted: (u32, u32)) -> Outcome {
    let end = Instant::now() + PATIENCE;
    while counts(client)? != wanted {
        if Instant::now() > end {
            return same(counts(client)?, wanted);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn deadline_passed(peer: &Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer.client)?;
    let start = Instant::now();
    let context = with_duration(Duration::from_millis(100));
    timed_out(peer.client.wait(context, &item(FOREVER, "")))?;
    same(start.elapsed() >= Duration::from_millis(100), true)?;
    wait_for(&peer.client, (begun + 1, cancelled + 1))
}

fn request_max(peer: &Peer) -> Outcome {
    let text = request_text(LIMIT);
    good(peer.client.size(none(), &item(0, &text)), text.len() as u32, "")
}

fn request_over(peer: &Peer) -> Outcome {
    refused(peer.client.size(none(), &item(0, &request_text(LIMIT + 1))))?;
    unary(peer)
}

fn answer_max(peer: &Peer) -> Outcome {
    let answer = peer.client.fill(none(), &item(LIMIT as u32, "")).map_err(text_of)?;
    same((LIMIT - 12..=LIMIT - 10).contains(&answer.msg.len()), true)
}

fn answer_over(peer: &Peer) -> Outcome {
    let result = peer.client.fill(none(), &item(LIMIT as u32 + 1, ""));
    code(peer, result, Code::RESOURCE_EXHAUSTED)
}

// Runs so many at a time.
fn together(number: u32, run: impl Fn(u32) -> Outcome + Send + Sync) -> Outcome {
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for i in 0..number {
            let (sender, run) = (sender.clone(), &run);
            thread::Builder::new()
                .stack_size(128 << 10)
                .spawn_scoped(scope, move || sender.send(run(i)))
                .unwrap();
        }
    });
    drop(sender);
    outcomes.into_iter().collect()
}

fn concurrent_calls(peer: &Peer) -> Outcome {
    together(MANY, |i| {
        let text = format!("call {i}");
        good(peer.client.meet(none(), &item(MANY, &text)), MANY, &text)
    })
}

fn client_gone(peer: &Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer.client)?;
    let other = std::process::Command::new(std::env::current_exe().map_err(text_of)?)
        .args(["client", peer.address.trim_start_matches("unix://"), "only wait"])
        .spawn();
    let mut other = other.map_err(text_of)?;
    let outcome = wait_for(&peer.client, (begun + 3, cancelled));
    other.kill().and_then(|_| other.wait()).map_err(text_of)?;
    outcome?;
    wait_for(&peer.client, (begun + 3, cancelled + 3))
}

// This library's client has no way to close its connection while calls wait: a process ends instead.
fn only_wait(address: &str) -> Outcome {
    let client = connect(address)?;
    together(3, |_| good(client.wait(none(), &item(FOREVER, "")), FOREVER, ""))
}

fn server_gone(peer: &Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer.client)?;
    together(10, |i| {
        let result = if i == 9 {
            wait_for(&peer.client, (begun + 9, cancelled))?;
            peer.client.die(none(), &Item::new())
        } else {
            peer.client.wait(none(), &item(FOREVER, ""))
        };
        same(result.is_err(), true)
    })?;
    same(peer.client.echo(none(), &Item::new()).is_err(), true)
}

// What is under way is answered, and then the connection ends.
fn server_stops(peer: &Peer) -> Outcome {
    let (begun, cancelled) = counts(&peer.client)?;
    together(10, |i| {
        if i < 9 {
            return good(peer.client.wait(none(), &item(2000, "")), 2000, "");
        }
        wait_for(&peer.client, (begun + 9, cancelled))?;
        good(peer.client.stop(none(), &Item::new()), 0, "")
    })?;
    same(peer.client.echo(none(), &Item::new()).is_err(), true)
}

type Scenario = (&'static str, fn(&Peer) -> Outcome);

const SCENARIOS: [Scenario; 14] = [
    ("unary", unary),
    ("empty_messages", empty_messages),
    ("status", statuses),
    ("metadata", metadata),
    ("deadline_seen", deadline_seen),
    ("deadline_passed", deadline_passed),
    ("request_4194304", request_max),
    ("request_4194305", request_over),
    ("answer_4194304", answer_max),
    ("answer_4194305", answer_over),
    ("calls_1000", concurrent_calls),
    ("client_gone", client_gone),
    ("server_gone", server_gone),
    ("server_stops", server_stops),
];

fn main() {
    let role = Role::of_arguments();
    let address = &role.address;
    if role.server {
        return serve(address);
    }
    if role.scenario.as_deref() == Some("only wait") {
        return only_wait(address).unwrap();
    }
    let mut passed = true;
    for (name, run) in SCENARIOS.into_iter().filter(|(name, _)| role.wants(name)) {
        let outcome =
            connect(address).and_then(|client| run(&Peer { client, address: address.clone() }));
        passed &= report(name, outcome);
    }
    std::process::exit(!passed as i32);
}
