// SPDX-License-Identifier: Apache-2.0
//! The Rust library beside ours.
//!
//!     peer sync-server|async-server SOCKET
//!     peer sync-client|async-client SOCKET MILLISECONDS CALLS SIZE UNDERWAY

mod asynchronous;
mod blocking;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use async_trait::async_trait;
use ttrpc::context;

// ---- servers ----

struct Service;

impl blocking::bench_ttrpc::Bench for Service {
    fn echo(
        &self,
        _: &ttrpc::TtrpcContext,
        request: blocking::bench::Bytes,
    ) -> ttrpc::Result<blocking::bench::Bytes> {
        Ok(request)
    }
    fn fetch(
        &self,
        _: &ttrpc::TtrpcContext,
        request: blocking::bench::Size,
    ) -> ttrpc::Result<blocking::bench::Bytes> {
        let mut answer = blocking::bench::Bytes::new();
        answer.value = vec![0; request.value as usize];
        Ok(answer)
    }
}

#[async_trait]
impl asynchronous::bench_ttrpc::Bench for Service {
    async fn echo(
        &self,
        _: &ttrpc::r#async::TtrpcContext,
        request: asynchronous::bench::Bytes,
    ) -> ttrpc::Result<asynchronous::bench::Bytes> {
        Ok(request)
    }
    async fn fetch(
        &self,
        _: &ttrpc::r#async::TtrpcContext,
        request: asynchronous::bench::Size,
    ) -> ttrpc::Result<asynchronous::bench::Bytes> {
        let mut answer = asynchronous::bench::Bytes::new();
        answer.value = vec![0; request.value as usize];
        Ok(answer)
    }
}

#[async_trait]
impl asynchronous::talk_ttrpc::Talker for Service {
    async fn talk(
        &self,
        _: &ttrpc::r#async::TtrpcContext,
        mut stream: ttrpc::r#async::ServerStream<
            asynchronous::bench::Bytes,
            asynchronous::bench::Bytes,
        >,
    ) -> ttrpc::Result<()> {
        while let Some(message) = stream.recv().await? {
            stream.send(&message).await?;
        }
        Ok(())
    }
}

fn serve_blocking(path: &str) {
    let service = blocking::bench_ttrpc::create_bench(Arc::new(Service));
    let mut server = ttrpc::Server::new()
        .bind(&format!("unix://{path}"))
        .unwrap()
        .register_service(service);
    server.start().unwrap();
    println!("ready");
    loop {
        thread::park();
    }
}

async fn serve_asynchronous(path: &str) {
    let mut server = ttrpc::r#async::Server::new()
        .bind(&format!("unix://{path}"))
        .unwrap()
        .register_service(asynchronous::bench_ttrpc::create_bench(Arc::new(Service)))
        .register_service(asynchronous::talk_ttrpc::create_talker(Arc::new(Service)));
    server.start().await.unwrap();
    println!("ready");
    std::future::pending::<()>().await;
}

// ---- clients: see meter.h for what is counted and printed ----

struct Meter {
    begin: Instant,
    end: Instant,
    last: Instant,
    calls: u64,
    measured: u64,
    calls_max: u64,
    values: Option<Vec<u64>>,
}

impl Meter {
    fn new(milliseconds: u64, calls_max: u64, each: bool) -> Meter {
        let time = Duration::from_millis(milliseconds);
        let now = Instant::now();
        Meter {
            begin: now + time / 10,
            end: now + time + time / 10,
            last: now,
            calls: 0,
            measured: 0,
            calls_max,
            values: each.then(|| Vec::with_capacity(1 << 20)),
        }
    }

    fn add(&mut self) -> bool {
        let now = Instant::now();
        self.calls += 1;
        if now >= self.begin {
            if self.measured == 0 {
                self.begin = self.last;
            }
            self.measured += 1;
            if let Some(values) = &mut self.values {
                values.push((now - self.last).as_nanos() as u64);
            }
        }
        self.last = now;
        now < self.end && (self.calls_max == 0 || self.calls < self.calls_max)
    }

    fn print(&mut self) {
        let (mut p50, mut p99) = (0, 0);
        if let Some(values) = &mut self.values {
            values.sort_unstable();
            if !values.is_empty() {
                p50 = values[values.len() / 2];
                p99 = values[values.len() * 99 / 100];
            }
        }
        let time = (self.last - self.begin).as_nanos();
        println!("{} {} {} {} {}", self.calls, self.measured, time, p50, p99);
    }
}

fn ask_blocking(path: &str, numbers: &[u64]) {
    let client = ttrpc::Client::connect(&format!("unix://{path}")).unwrap();
    let client = blocking::bench_ttrpc::BenchClient::new(client);
    let meter = Mutex::new(Meter::new(numbers[0], numbers[1], numbers[3] == 1));
    thread::scope(|scope| {
        for _ in 0..numbers[3] {
            scope.spawn(|| {
                let mut request = blocking::bench::Bytes::new();
                request.value = vec![0; numbers[2] as usize];
                loop {
                    let answer = client.echo(context::with_timeout(0), &request).unwrap();
                    assert_eq!(answer.value.len(), request.value.len());
                    if !meter.lock().unwrap().add() {
                        break;
                    }
                }
            });
        }
    });
    meter.lock().unwrap().print();
}

async fn ask_asynchronous(path: &str, numbers: &[u64]) {
    let client = ttrpc::r#async::Client::connect(&format!("unix://{path}"))
        .await
        .unwrap();
    let client = asynchronous::bench_ttrpc::BenchClient::new(client);
    let meter = Arc::new(Mutex::new(Meter::new(
        numbers[0],
        numbers[1],
        numbers[3] == 1,
    )));
    let mut tasks = Vec::new();
    for _ in 0..numbers[3] {
        let (client, meter) = (client.clone(), meter.clone());
        let mut request = asynchronous::bench::Bytes::new();
        request.value = vec![0; numbers[2] as usize];
        tasks.push(tokio::spawn(async move {
            loop {
                let answer = client
                    .echo(context::with_timeout(0), &request)
                    .await
                    .unwrap();
                assert_eq!(answer.value.len(), request.value.len());
                if !meter.lock().unwrap().add() {
                    break;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    meter.lock().unwrap().print();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let numbers: Vec<u64> = arguments
        .iter()
        .skip(3)
        .map(|n| n.parse().unwrap())
        .collect();
    match arguments.get(1).map(String::as_str) {
        Some("sync-server") => serve_blocking(&arguments[2]),
        Some("async-server") => runtime().block_on(serve_asynchronous(&arguments[2])),
        Some("sync-client") => ask_blocking(&arguments[2], &numbers),
        Some("async-client") => runtime().block_on(ask_asynchronous(&arguments[2], &numbers)),
        _ => process::exit(2),
    }
}
