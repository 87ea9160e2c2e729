// SPDX-License-Identifier: Apache-2.0
//
// What the two peers share: limits, results of scenarios and their lines.

use std::fmt::Debug;
use std::time::Duration;

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

pub const LIMIT: usize = 4194304;
pub const MANY: u32 = 1000;
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const FOREVER: u32 = 600_000; // milliseconds of a Wait that is to be cancelled
pub const NULL_TEXT: &str = "non-empty empty";

// How a scenario ends: Err says what is wrong.
pub type Outcome = Result<(), String>;

pub fn same<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(format!("got {:.100}, not {:.100}", format!("{got:?}"), format!("{wanted:?}")))
}

pub fn text_of(error: impl Debug) -> String {
    format!("{:.200}", format!("{error:?}"))
}

// The msg of interop.Probe/Size that makes a request's frame that large; no deadline, no metadata.
pub fn request_text(frame: usize) -> String {
    let overhead = 2 + "interop.Probe".len() + 2 + "Size".len() + 5 + 5;
    "x".repeat(frame - overhead)
}

// The msg of interop.Probe/Fill: the status that this library sends, the payload's and the text's tag
// and length are the rest of the frame.
pub fn answer_text(frame: usize) -> String {
    "x".repeat(frame - 2 - 5 - 5)
}

pub fn code_of(result: Result<impl Debug, ttrpc::Error>) -> Result<ttrpc::Code, String> {
    match result {
        Err(ttrpc::Error::RpcStatus(status)) => Ok(status.code()),
        other => Err(format!("no status but {}", text_of(other))),
    }
}

// What is too large fails here, in the library, and with no status of its own.
pub fn refused(result: Result<impl Debug, ttrpc::Error>) -> Outcome {
    match result {
        Err(error) if text_of(&error).contains("exceed maximum message size") => Ok(()),
        other => Err(text_of(other)),
    }
}

// The client's own deadline, or what the server says of it.
pub fn timed_out(result: Result<impl Debug, ttrpc::Error>) -> Outcome {
    let text = text_of(&result).to_lowercase();
    if text.contains("timeout") || text.contains("deadline elapsed") {
        return Ok(());
    }
    same(code_of(result)?, ttrpc::Code::DEADLINE_EXCEEDED)
}

// Prints the line of a scenario; false: it failed.
pub fn report(name: &str, outcome: Outcome) -> bool {
    match &outcome {
        Ok(()) => println!("ok {name}"),
        Err(why) => println!("not ok {name}: {why}"),
    }
    outcome.is_ok()
}

// What the program is to be, and the address; a client may be given the name of one scenario.
pub struct Role {
    pub server: bool,
    pub address: String,
    pub scenario: Option<String>,
}

impl Role {
    pub fn of_arguments() -> Role {
        let mut arguments = std::env::args().skip(1);
        let role = arguments.next().unwrap_or_default();
        match arguments.next() {
            Some(path) if role == "server" || role == "client" => Role {
                server: role == "server",
                address: format!("unix://{path}"),
                scenario: arguments.next(),
            },
            _ => {
                eprintln!("usage: peer server SOCKET | peer client SOCKET [SCENARIO]");
                std::process::exit(2);
            }
        }
    }

    // Those that need a server of their own are run only when asked for.
    pub fn wants(&self, name: &str) -> bool {
        match &self.scenario {
            Some(wanted) => wanted == name,
            None => name != "server_gone" && name != "server_stops",
        }
    }
}
