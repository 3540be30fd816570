//! `dakghar number …`: numbers at Meta, for the operator's shell.

use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use dakghar_core::domain::PhoneNumber;

use super::arguments::Owner;
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

pub(super) const AFTER_HELP: &str = "\
A running server (or worker) checks each number by itself, once in NUMBER_CHECK_SECONDS. What has changed goes to the feed of the
tenant (number.changed); a number that cannot send is put on hold.

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar number check --tenant ten_… 111111111111111
  dakghar doctor --tenant ten_…";

/// The commands on numbers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask Meta about a number now, and keep what it says
    Check {
        #[command(flatten)]
        owner: Owner,
        /// Meta's id of the number.
        phone_number_id: String,
    },
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    let Command::Check { owner, phone_number_id } = command;
    let checked = app.number_checks.check_now(&owner.id()?, &phone_number_id).await?;
    let mut numbers = checked.phone_numbers.iter();
    let number = numbers.find(|number| number.phone_number_id.as_str() == phone_number_id);
    show(number.ok_or_else(|| anyhow!("the tenant does not have the number any more"))?);
    Ok(())
}

fn show(number: &PhoneNumber) {
    let seen = number.standing.seen.clone().unwrap_or_default();
    let of_number = &seen.number;
    let hold = number.hold.map(|hold| hold.reason.as_str().into());
    let checked = number.standing.checked_at.map(|at| at.to_string().into());
    for (name, value) in [
        ("number", Some(number.phone_number_id.as_str().into())),
        ("checked", checked),
        ("status", of_number.status.clone()),
        ("health", of_number.health.clone()),
        ("name", of_number.name.clone()),
        ("quality", of_number.quality.clone()),
        ("limit", of_number.messaging_limit.clone()),
        ("throughput", of_number.throughput.clone()),
        ("review", seen.review.clone()),
        ("webhooks", seen.webhooks.map(|go| go.as_str().into())),
        ("hold", hold),
    ] {
        let value: Option<Arc<str>> = value;
        output::line(&format!(
            "{name:<10} {}",
            output::one_line(value.as_deref().unwrap_or("-"))
        ));
    }
    for concern in number.concerns() {
        let value = output::one_line(&concern.value);
        let (kind, advice) = (concern.drift.as_str(), concern.advice);
        output::line(&format!("advice     {kind} is {value}. {advice}"));
    }
}
