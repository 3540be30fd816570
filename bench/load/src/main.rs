//! The load generator of the benchmark, and what it needs beside the contender: a Graph peer, and a few operations on
//! the servers. Every command prints one JSON document on standard output.
//!
//! It measures over HTTP like any client and knows nothing about how a contender works inside. The exceptions are
//! [`probe`], which asks the store whether everything is settled, [`grow`], which fills the store, and [`plans`], which
//! asks the server what it looked at.

#![expect(
    clippy::disallowed_methods,
    reason = "a load generator measures time, and ends with its tasks"
)]

mod accept;
mod client;
mod drain;
mod first;
mod graph_peer;
mod grow;
mod histogram;
mod latency;
mod list;
mod pacing;
mod peer;
mod plans;
mod probe;
mod receiver_peer;
mod sends;
mod servers;
mod tenants;
mod wait;
mod webhook;

use std::io::Write as _;

use clap::{Parser, Subcommand};
use serde_json::Value;

#[derive(Parser)]
#[command(about = "The load generator of the benchmark. Every command prints one JSON document.")]
struct Cli {
    /// Threads of the generator. One is enough for about 40,000 requests a second and leaves the rest to the contender.
    #[arg(long, default_value_t = 1, global = true)]
    threads: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register tenants and write their ids and keys into a file
    Register(tenants::Args),
    /// Send as fast as N connections can, for a time: accepted sends per second
    Accept(accept::AcceptArgs),
    /// Send a number of messages and stop
    Preload(accept::PreloadArgs),
    /// Wait until the backlog is settled: messages per second through worker and Graph
    Drain(drain::Args),
    /// Post signed webhooks as fast as N connections can: events per second
    Webhook(webhook::Args),
    /// Post signed webhooks at a given rate, each of which tells when it was due
    TimedWebhooks(webhook::timed::Args),
    /// Send at a given rate: latency of the answer, and until the call reaches Graph
    Latency(latency::Args),
    /// Send through Meta's own face as fast as N connections can, for a time: answers with Meta's own id per second
    Wait(wait::Args),
    /// The same at a given rate, through a contender or to Graph itself: latency of the answer
    WaitPaced(wait::paced::Args),
    /// Wait for the first accepted send after a start
    First(first::Args),
    /// Read pages of messages under several filters, one after the other: milliseconds
    List(list::Args),
    /// Fill the store by cloning settled messages
    Grow(grow::Args),
    /// Make MongoDB remember every operation on the database
    Profile(plans::Args),
    /// Stop that, and judge what the remembered operations looked at
    Plans(plans::Args),
    /// Serve as the Graph API
    GraphPeer(graph_peer::Args),
    /// Serve as the receiver of callbacks
    ReceiverPeer(receiver_peer::Args),
    /// Make a new MongoDB server a replica set of one
    InitMongo(servers::InitArgs),
    /// How many of the newest messages are in each status
    Count(probe::CountArgs),
    /// Drop the database
    DropDatabase(servers::DropArgs),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cli.threads.max(1))
        .enable_all()
        .build()?;
    let report = runtime.block_on(run(cli.command))?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

async fn run(command: Command) -> anyhow::Result<Value> {
    match command {
        Command::Register(args) => tenants::register(&args).await,
        Command::Accept(args) => accept::run(args).await,
        Command::Preload(args) => accept::preload(args).await,
        Command::Drain(args) => drain::run(&args).await,
        Command::Webhook(args) => webhook::run(args).await,
        Command::TimedWebhooks(args) => webhook::timed::run(args).await,
        Command::Latency(args) => latency::run(args).await,
        Command::Wait(args) => wait::run(args).await,
        Command::WaitPaced(args) => wait::paced::run(args).await,
        Command::First(args) => first::run(&args).await,
        Command::List(args) => list::run(&args).await,
        Command::Profile(args) => plans::profile(&args).await,
        Command::Plans(args) => plans::judge(&args).await,
        Command::Grow(args) => grow::run(args).await,
        Command::GraphPeer(args) => graph_peer::run(args).await,
        Command::ReceiverPeer(args) => receiver_peer::run(args).await,
        Command::InitMongo(args) => servers::init(&args).await,
        Command::Count(args) => probe::count(&args).await,
        Command::DropDatabase(args) => servers::drop_database(&args).await,
    }
}
