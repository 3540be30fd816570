//! `dakghar endpoint replay`: events are delivered again, with the progress on the terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use anyhow::{anyhow, bail};
use dakghar_core::app::{App, KnownReplay, NewReplay, ReplayEnd, ReplayStatus};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::callback::REPLAY_EVENTS_MAX;
use dakghar_core::domain::{EntryId, Place, TenantId, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};

use super::named::Named;
use crate::cli::output;

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks between two lines where there is no terminal.
const LOOKS_BETWEEN_LINES: u32 = 40;
const BAR: &str = "{bar:30} {percent:>3} %  {msg}";

/// What to deliver again: events, what failed since a time, or a range.
#[derive(Debug, clap::Args)]
pub struct Replaying {
    #[command(flatten)]
    endpoint: Named,
    /// This event, by its id ent_…; may be repeated.
    #[arg(long, value_name = "EVENT", conflicts_with_all = ["failed_since", "from", "until", "kind", "number"])]
    event: Vec<String>,
    /// What was not taken and was tried last at this time or later, such as 2026-11-22T10:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "until", "kind", "number"])]
    failed_since: Option<String>,
    /// From this time, or this place of the feed, on.
    #[arg(long, value_name = "TIME|PLACE")]
    from: Option<String>,
    /// Before this time, or up to this place.
    #[arg(long, value_name = "TIME|PLACE")]
    until: Option<String>,
    /// Of a range only this kind of entries, or the beginning of kinds and *; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Of a range only this number, by Meta's id of it; may be repeated.
    #[arg(long, value_name = "NUMBER")]
    number: Vec<String>,
    /// Only say how many events that would be.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for its end.
    #[arg(long)]
    detach: bool,
}

/// One replay.
#[derive(Debug, clap::Args)]
pub struct NamedReplay {
    #[command(flatten)]
    endpoint: Named,
    /// The replay's id, rpl_….
    replay_id: String,
}

impl Replaying {
    pub(super) async fn carry_out(&self, app: &App) -> anyhow::Result<()> {
        let (tenant_id, id) = (self.endpoint.tenant()?, &self.endpoint.endpoint_id);
        let asked = self.asked()?;
        let preview = app.endpoints.preview_replay(&tenant_id, id, &asked).await?;
        let about = if preview.is_exact { "" } else { "about " };
        let waits = waits(preview.waiting);
        output::line(&format!(
            "{about}{} events would be delivered again{waits}",
            preview.events
        ));
        if self.dry_run || (preview.events == 0 && preview.is_exact) {
            return Ok(());
        }
        let known = app
            .endpoints
            .begin_replay(&tenant_id, id, &asked, Principal::CLI)
            .await?;
        output::line(&format!("{} was asked for", known.replay.id));
        if self.detach {
            return Ok(());
        }
        let replay_id = known.replay.id;
        tokio::select! {
            ended = follow(app, &tenant_id, id, known) => ended,
            _ = tokio::signal::ctrl_c() => bail!(
                "{replay_id} goes on without this command; see `dakghar endpoint replays`, or `dakghar endpoint \
                 cancel-replay`"
            ),
        }
    }

    fn asked(&self) -> anyhow::Result<NewReplay> {
        if !self.event.is_empty() {
            if self.event.len() > REPLAY_EVENTS_MAX {
                bail!("--event may be given {REPLAY_EVENTS_MAX} times at most");
            }
            let events = self
                .event
                .iter()
                .map(|id| EntryId::parse(id).map_err(|_| anyhow!("{id} is not the id of an event (ent_…)")));
            return Ok(NewReplay::Events(events.collect::<anyhow::Result<_>>()?));
        }
        if let Some(text) = &self.failed_since {
            let time = Timestamp::parse_rfc3339(text);
            let wrong = || anyhow!("--failed-since {text} is not a time such as 2026-11-22T10:00:00Z");
            return Ok(NewReplay::FailedSince(time.ok_or_else(wrong)?));
        }
        if self.from.is_none() && self.until.is_none() && self.kind.is_empty() && self.number.is_empty() {
            bail!("say what to deliver again: --event, --failed-since, or --from and --until");
        }
        let end = |name: &str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let place = Place::parse(text).map(ReplayEnd::Place);
            let end = place.or_else(|| Timestamp::parse_rfc3339(text).map(ReplayEnd::Time));
            let wrong = || anyhow!("--{name} {text} is neither a place nor a time such as 2026-11-22T10:00:00Z");
            end.ok_or_else(wrong).map(Some)
        };
        Ok(NewReplay::Range {
            from: end("from", &self.from)?,
            until: end("until", &self.until)?,
            kinds: self.kind.clone(),
            phone_number_ids: self.number.clone(),
        })
    }
}

/// Shows the progress of a replay until it is over.
async fn follow(app: &App, tenant_id: &TenantId, id: &str, mut known: KnownReplay) -> anyhow::Result<()> {
    let bar = stderr().is_terminal().then(|| bar(&known)).transpose()?;
    let replay_id = known.replay.id.to_string();
    for look in 1.. {
        if let Some(bar) = &bar {
            bar.set_position(known.progress.at.number().saturating_sub(known.replay.after.number()));
            bar.set_message(told(&known));
        }
        if !known.status.is_open() {
            if let Some(bar) = &bar {
                bar.abandon();
            }
            return end(&known);
        }
        if bar.is_none() && look % LOOKS_BETWEEN_LINES == 0 {
            let _ = writeln!(stderr(), "{}", told(&known));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        known = app.endpoints.replay(tenant_id, id, &replay_id).await?;
    }
    Ok(())
}

fn bar(known: &KnownReplay) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(BAR)?.progress_chars("=> ");
    let length = known.replay.until.number().saturating_sub(known.replay.after.number());
    Ok(ProgressBar::new(length).with_style(style))
}

fn told(known: &KnownReplay) -> String {
    let progress = &known.progress;
    let waiting_for = known.status.waiting_for().map(|what| format!(", waits: {what}"));
    format!(
        "{}{}: {} delivered, {} failed{}",
        known.status.as_str(),
        waiting_for.unwrap_or_default(),
        progress.delivered,
        progress.failed,
        waits(known.waiting)
    )
}

/// Says how much waits behind others.
fn waits(waiting: u64) -> String {
    match waiting {
        0 => String::new(),
        waiting => format!(", {waiting} wait behind others of their conversations"),
    }
}

fn end(known: &KnownReplay) -> anyhow::Result<()> {
    let text = format!("{} is {}", known.replay.id, told(known));
    if known.status == ReplayStatus::Cancelled {
        bail!(text);
    }
    output::line(&text);
    Ok(())
}

/// Lists the replays of an endpoint.
pub(super) async fn list(app: &App, endpoint: &Named) -> anyhow::Result<()> {
    let replays = app
        .endpoints
        .replays(&endpoint.tenant()?, &endpoint.endpoint_id)
        .await?;
    if replays.is_empty() {
        output::line("no replays yet; begin one with `dakghar endpoint replay`");
        return Ok(());
    }
    let row = |known: &KnownReplay| {
        let (replay, progress) = (&known.replay, &known.progress);
        vec![
            replay.id.to_string(),
            known.status.as_str().to_owned(),
            known.status.waiting_for().unwrap_or("-").to_owned(),
            format!("{} of {}..{}", progress.at, replay.after, replay.until),
            progress.delivered.to_string(),
            progress.failed.to_string(),
            replay.requested_at.to_string(),
        ]
    };
    let heads = ["REPLAY", "STATUS", "WAITS", "PLACE", "DELIVERED", "FAILED", "SINCE"];
    output::table(&heads, &replays.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Cancels a replay.
pub(super) async fn cancel(app: &App, named: &NamedReplay) -> anyhow::Result<()> {
    let (tenant_id, id) = (named.endpoint.tenant()?, &named.endpoint.endpoint_id);
    let endpoints = &app.endpoints;
    let cancelled = endpoints.cancel_replay(&tenant_id, id, &named.replay_id, Principal::CLI);
    let known = cancelled.await?;
    output::line(&told(&known));
    Ok(())
}
