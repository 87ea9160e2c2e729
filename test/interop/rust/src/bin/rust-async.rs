// SPDX-License-Identifier: Apache-2.0
//
// The library's asynchronous kind, on tokio's threads: unary calls and streams.

#[path = "../async_client.rs"]
mod client;
#[path = "../async_server.rs"]
mod server;
#[path = "../async_streams.rs"]
mod streams;

use interop::asynchronous::probe::Item;

pub fn item(seq: u32, msg: &str) -> Item {
    Item { seq, msg: msg.to_string(), ..Default::default() }
}

#[tokio::main]
async fn main() {
    let role = interop::Role::of_arguments();
    if role.server {
        return server::serve(&role.address).await;
    }
    std::process::exit(!client::run(&role).await as i32);
}
