//! `dakghar hold` and `dakghar release`: everything stands still, and what would be sent is told.

use anyhow::Context as _;
use dakghar_core::app::{App, HoldReport};
use dakghar_core::domain::audit::Principal;

use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

/// How to hold.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Change nothing; only tell whether sending is held, and what waits.
    #[arg(long)]
    show: bool,
}

/// Holds all sending, or only shows.
pub async fn hold(config: Config, args: Args) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, std::sync::Arc::default()).await?.app;
    if !args.show {
        app.holding.begin(Principal::CLI).await?;
    }
    print(&app.holding.report().await?);
    Ok(())
}

/// Releases all sending.
pub async fn release(config: Config) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, std::sync::Arc::default()).await?.app;
    let report = app.holding.report().await?;
    let was_held = app.holding.release(Principal::CLI).await?.is_some();
    output::line(if was_held {
        "Sending is released."
    } else {
        "Sending was not held."
    });
    print_waiting(&report);
    Ok(())
}

/// At the start of a server: holds if it is asked to, and tells of a hold before anything could be sent. A hold that
/// cannot be read is no reason not to start, because nothing is sent meanwhile.
pub(super) async fn at_start(app: &App, is_asked: bool) -> anyhow::Result<()> {
    if is_asked {
        let begun = app.holding.begin(Principal::CLI).await;
        begun.context("sending cannot be held (--hold), so nothing was started")?;
    }
    match app.holding.hold().await {
        Ok(None) => {}
        Ok(Some(_)) => match app.holding.report().await {
            Ok(report) => print(&report),
            Err(error) => tracing::warn!(%error, "what waits cannot be counted"),
        },
        Err(error) => tracing::warn!(%error, "whether sending is held is not known yet; nothing is sent until it is"),
    }
    Ok(())
}

fn print(report: &HoldReport) {
    match report.hold {
        Some(hold) => output::line(&format!(
            "\nAll sending is held since {}. Messages are accepted and webhooks received; nothing is sent until\n\
             `dakghar release` (or DELETE /hold). `dakghar hold --show` tells again what waits.\n",
            hold.since
        )),
        None => output::line("Sending is not held."),
    }
    print_waiting(report);
}

fn print_waiting(report: &HoldReport) {
    let of = |statuses: &[&str]| -> u64 {
        let counts = report.waiting.iter();
        let counts = counts.filter(|count| statuses.contains(&count.status.as_str()));
        counts.map(|count| count.messages).sum()
    };
    let (later, expired) = report.waiting.iter().fold((0, 0), |(later, expired), count| {
        (later + count.later, expired + count.expired)
    });
    output::line(&format!(
        "{} messages would be sent ({later} of them later, {expired} have expired and will not be); of {} more a call \
         may have been made, which their statuses or policies decide.",
        of(&["queued", "held"]),
        of(&["sending", "in_doubt"]),
    ));
    if report.waiting.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = report
        .waiting
        .iter()
        .map(|count| {
            vec![
                count.tenant_id.to_string(),
                count.phone_number_id.to_string(),
                count.status.as_str().to_owned(),
                count.messages.to_string(),
                count.oldest.to_string(),
                count.later.to_string(),
                count.expired.to_string(),
            ]
        })
        .collect();
    output::table(
        &["TENANT", "NUMBER", "STATUS", "MESSAGES", "OLDEST", "LATER", "EXPIRED"],
        &rows,
    );
}
