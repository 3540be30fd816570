//! `dakghar erase …`: erasures of people, for the operator's shell.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use dakghar_core::app::App;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure};

use super::arguments::Owner;
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// The long help after the commands. A paragraph is one line, because clap wraps it to the width of the terminal.
pub const AFTER_HELP: &str = "\
What begins is a job in the store, which the running server (or worker) carries on, also after a restart. It looks wherever \
something of the person may be, deletes it, and says how much it found. Messages that wait are cancelled, and those on their \
way are waited for. It is about what came before it was asked for; what comes later is a new contact. It cannot be taken back.

Backups, copies of the file from before an upgrade, and the oplog of MongoDB are not reached: docs/operating/retention.md \
says when those are over.

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar erase person --tenant ten_… +919111111111
  echo +919111111111 | dakghar erase person --tenant ten_… -
  dakghar erase list --tenant ten_…
  dakghar erase watch --tenant ten_… ers_…";

/// The wait between two looks at an erasure.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Erasures that a list shows: the newest.
const LISTED_MAX: u32 = 100;

/// The commands on erasures.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Erase a person from what a tenant keeps, and show the progress until it is done
    Person {
        #[command(flatten)]
        owner: Owner,
        /// The phone number with country code, or an id of the person at Meta; - reads it from standard input, where no
        /// list of processes shows it.
        person: String,
        /// Also look through the webhooks that belong to no tenant.
        #[arg(long)]
        unrouted: bool,
        /// Only begin it.
        #[arg(long)]
        no_wait: bool,
    },
    /// List the newest erasures of a tenant
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Show the progress of an erasure until it is done
    Watch {
        #[command(flatten)]
        owner: Owner,
        /// Its id, ers_….
        id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::Person {
            owner,
            person,
            unrouted,
            no_wait,
        } => {
            let person = if person == "-" { from_stdin()? } else { person };
            let erasure = app
                .erasing
                .begin(&owner.id()?, &person, unrouted, Principal::CLI)
                .await?;
            output::line(&format!("{} has begun", erasure.id));
            if no_wait {
                return Ok(());
            }
            watch(&app, erasure).await
        }
        Command::List { owner } => {
            let erasures = app.erasing.newest(&owner.id()?, LISTED_MAX).await?.items;
            let rows: Vec<Vec<String>> = erasures.iter().map(row).collect();
            output::list(
                &["ERASURE", "STATUS", "ERASED", "WAITING", "BEGAN", "ENDED"],
                &rows,
                "no erasures",
            );
            Ok(())
        }
        Command::Watch { owner, id } => {
            let erasure = app.erasing.find(&owner.id()?, &id).await?;
            watch(&app, erasure).await
        }
    }
}

fn from_stdin() -> anyhow::Result<String> {
    const BYTES_MAX: u64 = 1_024;
    let mut text = String::new();
    let read = std::io::stdin().take(BYTES_MAX).read_to_string(&mut text);
    read.context("standard input could not be read")?;
    Ok(text.trim().to_owned())
}

/// Tells each change until it is done.
async fn watch(app: &App, mut erasure: PersonErasure) -> anyhow::Result<()> {
    let mut told = String::new();
    loop {
        let now = progress(&erasure);
        if now != told {
            output::line(&now);
            told = now;
        }
        if !erasure.is_open() {
            report(&erasure);
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let id = erasure.id.to_string();
        erasure = app.erasing.find(&erasure.tenant_id, &id).await?;
    }
}

fn progress(erasure: &PersonErasure) -> String {
    if !erasure.is_open() {
        return "done".to_owned();
    }
    let place = erasure.place.as_str();
    match erasure.waiting {
        0 => format!("looking through {place}; {} erased so far", erased(erasure)),
        waiting => format!("waiting for {waiting} messages on their way"),
    }
}

fn report(erasure: &PersonErasure) {
    for place in ErasurePlace::ALL {
        if place != ErasurePlace::File {
            output::line(&format!("{:<14} {}", place.as_str(), erasure.counts.of(place)));
        }
    }
    output::line(&format!("{:<14} {}", "cancelled", erasure.cancelled));
    if erasure.needs_vacuum {
        output::line(
            "The file of the store is too large to be rewritten beside its work, so traces may be left in it. Stop the \
             server and run: sqlite3 dakghar.sqlite3 VACUUM",
        );
    }
}

fn erased(erasure: &PersonErasure) -> u64 {
    ErasurePlace::ALL.iter().map(|place| erasure.counts.of(*place)).sum()
}

fn row(erasure: &PersonErasure) -> Vec<String> {
    vec![
        erasure.id.to_string(),
        if erasure.is_open() { "running" } else { "done" }.to_owned(),
        erased(erasure).to_string(),
        erasure.waiting.to_string(),
        erasure.created_at.to_string(),
        output::or_dash(erasure.ended_at),
    ]
}
