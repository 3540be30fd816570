//! `dakghar feed`: a feed as it grows, and what has no place in one yet.

mod tail;

use clap::Subcommand;
use dakghar_core::app::Deed;
use dakghar_core::domain::audit::{AuditAction, Principal};

use super::output::{self, Colour};
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what happens to a tenant, as it happens, until Ctrl-C
    ///
    /// Begins at the end unless told otherwise. It reads the store, so it goes on while servers are restarted.
    Tail(tail::Args),
    /// Tell whether entries of feeds wait for their places, and how many could not be placed
    Status,
    /// Try again to place what could not be placed and was put aside
    Retry,
}

/// Runs the command.
pub async fn run(config: Config, command: Command, colour: Colour) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, std::sync::Arc::default()).await?.app;
    let is_status = match command {
        Command::Tail(args) => return tail::run(&app, &args, colour).await,
        Command::Status => true,
        Command::Retry => false,
    };
    if !app.sequencing.is_needed() {
        output::line("Every entry gets its place when it is written; nothing ever waits.");
        return Ok(());
    }
    if is_status {
        let waiting = app.sequencing.look().await?;
        match waiting.oldest {
            None => output::line("No entry waits for its place."),
            Some(oldest) => output::line(&format!(
                "Entries have waited for their places since {oldest}. A worker gives them; is one running?"
            )),
        }
        if waiting.aside > 0 {
            output::line(&format!(
                "{} groups of entries could not be placed and were put aside; `dakghar feed retry` tries again.",
                waiting.aside
            ));
        }
    } else {
        let deed = Deed::new(Principal::CLI, AuditAction::FeedRetried);
        app.auditing.note(&deed).await?;
        let brought_back = app.sequencing.bring_back().await?;
        output::line(&format!("{brought_back} groups of entries are tried again."));
    }
    Ok(())
}
