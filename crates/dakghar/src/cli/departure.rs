//! `dakghar tenant leave` and `dakghar departure …`: tenants and numbers that leave, for the operator's shell.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use dakghar_core::app::{App, NewTenantDeparture};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::departure::{Departure, DepartureState, DepartureStep, StepRecord, StepState};
use dakghar_core::domain::{PhoneNumberId, Timestamp};

use super::arguments::{Owner, parse_tenant};
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};

pub(super) const AFTER_HELP: &str = "\
A departure begins with `dakghar tenant leave`, or with POST /tenants/{tenantId}/departures. The running server (or worker) carries it \
on. Its record stays for a year, also when the tenant is gone.

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar departure list --tenant ten_…
  dakghar departure show --tenant ten_… dep_…
  dakghar departure retry --tenant ten_… dep_… --skip
  dakghar departure cancel --tenant ten_… dep_…";

/// Departures that a list shows: the newest.
const LISTED_MAX: u32 = 100;
/// The wait between two looks at a departure that is followed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A departure that is wished for.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Leave {
    /// The tenant's id, ten_….
    tenant_id: String,
    /// Only this number; may be given several times.
    #[arg(long, value_name = "ID")]
    phone_number_id: Vec<String>,
    /// Cancel what is queued; otherwise it is sent first.
    #[arg(long, conflicts_with = "send_until")]
    cancel_queued: bool,
    /// Send what is queued until then, within 30 days; a day when absent. What is left is cancelled.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    send_until: Option<Timestamp>,
    /// Deregister the numbers from the Cloud API.
    #[arg(long)]
    deregister: bool,
    /// Revoke the access tokens at Meta.
    #[arg(long)]
    revoke_token: bool,
    /// Do not wait for somebody to fetch the export.
    #[arg(long)]
    skip_export: bool,
    /// Keep the tenant with its data, and only take no more messages.
    #[arg(long)]
    keep_data: bool,
    /// Stop if Meta refuses this step; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = DepartureStep::OF_META.map(DepartureStep::as_str))]
    required: Vec<String>,
    /// Return at once, and do not show how it goes on.
    #[arg(long)]
    detach: bool,
}

/// The commands on departures.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest departures of a tenant, also of one that has left
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Show where a departure is, what became of its steps, and why it does not go on
    Show(One),
    /// Let a departure go on that has stopped or waits
    Retry {
        #[command(flatten)]
        one: One,
        /// Go on without the step that it is at.
        #[arg(long)]
        skip: bool,
    },
    /// Call a departure off, as long as nothing was changed at Meta and nothing removed
    Cancel(One),
}

/// A departure.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    owner: Owner,
    /// Its id, dep_….
    id: String,
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    match command {
        Command::List { owner } => {
            let departures = app.departing.newest(&owner.id()?, LISTED_MAX).await?.items;
            let rows: Vec<Vec<String>> = departures.iter().map(row).collect();
            output::list(
                &["DEPARTURE", "STATE", "STEP", "OF", "BEGAN", "ENDED"],
                &rows,
                "no departures",
            );
        }
        Command::Show(One { owner, id }) => show(&app.departing.find(&owner.id()?, &id).await?),
        Command::Retry {
            one: One { owner, id },
            skip,
        } => {
            let tenant_id = owner.id()?;
            tell(&app.departing.retry(&tenant_id, &id, skip, Principal::CLI).await?);
        }
        Command::Cancel(One { owner, id }) => {
            let tenant_id = owner.id()?;
            tell(&app.departing.cancel(&tenant_id, &id, Principal::CLI).await?);
        }
    }
    Ok(())
}

/// Begins a departure, and shows how it goes on until it is over or stops.
pub(super) async fn leave(app: &App, leave: Leave) -> anyhow::Result<()> {
    let tenant_id = parse_tenant(&leave.tenant_id)?;
    let is_followed = !leave.detach;
    let (departure, is_new) = app.departing.begin(&tenant_id, &wishes(leave), Principal::CLI).await?;
    let how = if is_new { "begun" } else { "under way" };
    output::line(&format!("departure  {} ({how})", departure.id));
    if !is_followed {
        return Ok(());
    }
    output::note("The running server carries it on. This only shows how: ending it here changes nothing.");
    follow(app, departure).await
}

fn wishes(leave: Leave) -> NewTenantDeparture {
    let required = leave.required.iter().filter_map(|name| DepartureStep::parse(name));
    NewTenantDeparture {
        required: required.collect(),
        phone_number_ids: Some(leave.phone_number_id).filter(|ids| !ids.is_empty()),
        cancel_queued: leave.cancel_queued,
        send_until: leave.send_until,
        deregister: leave.deregister,
        revoke_token: leave.revoke_token,
        skip_export: leave.skip_export,
        keep_data: leave.keep_data,
    }
}

/// Prints each step once it is through, and why the present one is not.
async fn follow(app: &App, mut departure: Departure) -> anyhow::Result<()> {
    let (mut shown, mut waits_for) = (0, None);
    loop {
        for record in departure.steps.iter().skip(shown) {
            if record.state == StepState::Pending {
                break;
            }
            output::line(&step_line(record));
            shown += 1;
        }
        let why = departure.current().and_then(|record| record.reason);
        if why != waits_for
            && let Some(record) = departure.current().filter(|_| why.is_some())
        {
            output::note(&step_line(record));
        }
        waits_for = why;
        match departure.state {
            DepartureState::Done | DepartureState::Cancelled => {
                tell(&departure);
                return Ok(());
            }
            DepartureState::Stopped => bail!("it has stopped; see dakghar departure show"),
            DepartureState::Running | DepartureState::Cancelling => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let id = departure.id.to_string();
        departure = app.departing.find(&departure.tenant_id, &id).await?;
    }
}

fn step_line(record: &StepRecord) -> String {
    let state = match record.state {
        StepState::Pending => record.reason.map_or("pending", |reason| reason.as_str()),
        state => state.as_str(),
    };
    let about = record.about.as_deref().unwrap_or("-");
    let code = record.error.as_ref().and_then(|error| error.code);
    let code = code.map(|code| format!("({code}) ")).unwrap_or_default();
    let note = output::one_line(record.note.as_deref().unwrap_or_default());
    let line = format!("{:<12} {about:<20} {state:<18} {code}{note}", record.step.as_str());
    line.trim_end().to_owned()
}

fn show(departure: &Departure) {
    for (name, value) in [
        ("departure", departure.id.to_string()),
        ("state", state(departure).to_owned()),
        ("of", of(departure)),
        ("next try", output::or_dash(departure.next_at)),
        ("cancelled", departure.cancelled.to_string()),
        ("exported", output::or_dash(departure.exported_at)),
        ("began", departure.created_at.to_string()),
        ("ended", output::or_dash(departure.ended_at)),
    ] {
        output::line(&format!("{name:<10} {value}"));
    }
    for record in &departure.steps {
        output::line(&step_line(record));
    }
}

fn tell(departure: &Departure) {
    output::line(&format!("{} is {}", departure.id, state(departure)));
}

fn row(departure: &Departure) -> Vec<String> {
    let step = departure.current().map_or("-", |record| record.step.as_str());
    vec![
        departure.id.to_string(),
        state(departure).to_owned(),
        step.to_owned(),
        of(departure),
        departure.created_at.to_string(),
        output::or_dash(departure.ended_at),
    ]
}

const fn state(departure: &Departure) -> &'static str {
    match departure.state {
        DepartureState::Running if departure.next_at.is_some() => "waiting",
        state => state.as_str(),
    }
}

fn of(departure: &Departure) -> String {
    match &departure.numbers {
        None => "the tenant".to_owned(),
        Some(numbers) => {
            let ids: Vec<&str> = numbers.iter().map(PhoneNumberId::as_str).collect();
            ids.join(",")
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "must be a time such as 2026-11-22T10:00:00Z".to_owned())
}
