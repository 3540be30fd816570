//! Faults under load: the real program, its servers and its network fail, and an auditor counts what became of every
//! message.
//!
//! `make chaos` runs every row and prints a table; each is a test of its own. A short selection, in `short`, runs with
//! all other tests. What can be set by the environment:
//!
//! | variable | for |
//! |---|---|
//! | `CHAOS_ROWS` | which rows, by their names: `make chaos CHAOS_ROWS="f06 f31"` |
//! | `CHAOS_SECONDS` | how long a fault goes on that goes on for a while; each row has a length of its own otherwise |
//! | `CHAOS_RATE` | messages a second; 300 otherwise |
//! | `CHAOS_LOGS` | a folder in which the logs of the processes are kept |
//! | `CHAOS_SEED` | the seed of everything that is chosen at random; a new one otherwise, which is printed |
//!
//! A row has four parts. [`installation`] starts the processes and servers, each where the row can reach it. [`load`]
//! is clients that do not wait for each other and repeat what was not answered under the same key. The row makes its
//! fault, at a moment that it chooses from outside: with signals, with commands to the servers, and with proxies that
//! hold a certain request back ([`dakghar_testkit::fault_proxy`]); nothing in the program knows of it. [`audit`] then
//! compares what clients were promised, what the store holds and what the simulated Meta wrote down.

mod api;
mod audit;
mod callbacks;
mod evidence;
mod feeds;
mod installation;
mod load;
mod mongo;
mod nemesis;
mod node;
mod owners;
mod receivers;
mod redis;
mod repeats;
mod report;
mod short;
mod webhook;
mod worker;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use dakghar_testkit::fault_proxy::FaultProxy;

/// Messages a second, unless a row or `CHAOS_RATE` says otherwise.
const RATE: u32 = 300;

/// How long the load goes on after a fault is over.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// How an insert of messages begins on its way to MongoDB.
const INSERT: &[u8] = b"\x02insert\0\x09\0\0\0messages\0";
/// What a claim has and no other command of a worker.
const CLAIM: &[u8] = b"\x02status\0\x08\0\0\0sending\0";
/// What the outcome of a call has that went well.
const OUTCOME: &[u8] = b"\x02status\0\x05\0\0\0sent\0";

/// Where BullMQ keeps jobs that are due.
const WAITING: &str = "bull:whatsapp-send-queue:prioritized";
/// Where BullMQ keeps jobs that are due later.
const DELAYED: &str = "bull:whatsapp-send-queue:delayed";

/// A number from the environment of the test run.
fn setting(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the test run, not a setting of the product"
    )]
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number")))
}

/// How long the fault of a row goes on.
fn seconds(default: u64) -> Duration {
    Duration::from_secs(setting("CHAOS_SECONDS").unwrap_or(default))
}

/// Messages a second.
fn rate() -> u32 {
    setting("CHAOS_RATE").map_or(RATE, |rate| rate.try_into().expect("a rate that a machine can have"))
}

/// What a row chooses by, and its seed.
pub fn dice() -> (StdRng, u64) {
    let seed = setting("CHAOS_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    println!("CHAOS_SEED={seed}");
    (StdRng::seed_from_u64(seed), seed)
}

async fn sleep_ms(dice: &mut StdRng, range: std::ops::RangeInclusive<u64>) {
    tokio::time::sleep(Duration::from_millis(dice.random_range(range))).await;
}

async fn sleep_s(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until a trap has caught one more connection than it had before.
async fn until_caught_since(proxy: &FaultProxy, before: usize) {
    let caught = tokio::time::timeout(Duration::from_secs(30), proxy.until_caught(before + 1)).await;
    assert!(caught.is_ok(), "nothing fell into the trap");
}
