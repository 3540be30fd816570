//! `dakghar endpoint exceptions|attempts`, and how far an endpoint is.

use std::sync::Arc;

use anyhow::bail;
use clap::ValueEnum;
use dakghar_core::app::{App, EndpointStatus, Page, PageRequest};
use dakghar_core::domain::callback::{Attempt, CallEnd, CallbackException, CallbackFailure};
use dakghar_core::domain::page::PAGE_ITEMS_MAX;
use dakghar_core::ports::ExceptionsAsked;
use dakghar_server::http::CallbackViews;
use serde_json::{Value, json};

use super::named::Named;
use crate::cli::output;

/// Calls an endpoint once, and shows the answer.
pub(super) async fn test(app: &App, named: &Named) -> anyhow::Result<()> {
    let callbacks = app.callbacks(Arc::new(CallbackViews));
    let tested = callbacks.test(&named.tenant()?, &named.endpoint_id).await?;
    let (end, ms) = (tested.end.stored(), tested.took.as_millis());
    let answer = tested.answer.map(|answer| format!(": {answer}")).unwrap_or_default();
    if !tested.end.is_success() {
        bail!("not delivered: {end} after {ms} ms{answer}");
    }
    output::line(&format!("delivered: {end} after {ms} ms"));
    Ok(())
}

/// Which exceptions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// What is tried again, and what waits for such a one.
    Open,
    /// What is not tried by itself any more.
    Dead,
}

/// What to list of an endpoint.
#[derive(Debug, clap::Args)]
pub struct Listing {
    #[command(flatten)]
    endpoint: Named,
    /// The most to list.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    limit: u32,
    /// Print JSON, one a line.
    #[arg(long)]
    json: bool,
}

impl Listing {
    /// Lists exceptions, the earliest first.
    pub(super) async fn exceptions(&self, app: &App, state: State) -> anyhow::Result<()> {
        let asked = match state {
            State::Open => ExceptionsAsked::Open,
            State::Dead => ExceptionsAsked::Dead,
        };
        let (tenant_id, id) = (self.endpoint.tenant()?, &self.endpoint.endpoint_id);
        let listed = self.pages(async |page| app.reading.exceptions(&tenant_id, id, asked, &page).await);
        let heads = ["PLACE", "EVENT", "KIND", "STATE", "ATTEMPTS", "NEXT", "LAST"];
        self.print(&listed.await?, &heads, exception_row, describe_exception);
        Ok(())
    }

    /// Lists attempts, the latest first.
    pub(super) async fn attempts(&self, app: &App) -> anyhow::Result<()> {
        let (tenant_id, id) = (self.endpoint.tenant()?, &self.endpoint.endpoint_id);
        let listed = self.pages(async |page| app.reading.attempts(&tenant_id, id, &page).await);
        let heads = ["TIME", "PLACE", "EVENT", "KIND", "ATTEMPT", "MS", "END"];
        self.print(&listed.await?, &heads, attempt_row, describe_attempt);
        Ok(())
    }

    /// Reads pages until there are as many as wanted.
    async fn pages<T>(
        &self,
        read: impl AsyncFn(PageRequest) -> Result<Page<T>, dakghar_core::app::Failure>,
    ) -> anyhow::Result<Vec<T>> {
        let wanted = self.limit as usize;
        let (mut items, mut cursor) = (Vec::new(), None);
        while items.len() < wanted {
            let left = u32::try_from(wanted - items.len()).unwrap_or(u32::MAX);
            let page = read(PageRequest {
                limit: left.min(PAGE_ITEMS_MAX),
                cursor,
            });
            let page = page.await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    fn print<T>(&self, items: &[T], heads: &[&str], row: fn(&T) -> Vec<String>, describe: fn(&T) -> Value) {
        if self.json {
            for item in items {
                output::line(&describe(item).to_string());
            }
        } else if items.is_empty() {
            output::line("none");
        } else {
            output::table(heads, &items.iter().map(row).collect::<Vec<_>>());
        }
    }
}

fn ended(end: CallEnd) -> String {
    match end {
        CallEnd::Answered(status) => status.to_string(),
        CallEnd::Failed(failure) => failure.as_str().to_owned(),
    }
}

fn exception_row(exception: &CallbackException) -> Vec<String> {
    let entry = &exception.placed.entry;
    vec![
        exception.placed.place.to_string(),
        entry.id().to_string(),
        entry.kind.as_str().to_owned(),
        exception.state.as_str().to_owned(),
        exception.attempts.to_string(),
        output::or_dash(exception.state.next_at()),
        output::or_dash(exception.last.as_ref().map(|last| ended(last.end))),
    ]
}

fn describe_exception(exception: &CallbackException) -> Value {
    let entry = &exception.placed.entry;
    let last = exception.last.as_ref().map(|last| {
        json!({
            "at": last.at.to_string(), "ms": last.took.as_millis(), "status": last.end.status(),
            "failure": last.end.failure().map(CallbackFailure::as_str), "answer": last.answer,
        })
    });
    json!({
        "eventId": entry.id().to_string(),
        "place": exception.placed.place.to_string(),
        "kind": entry.kind.as_str(),
        "at": entry.at.to_string(),
        "conversationId": exception.conversation_id.map(|id| id.to_string()),
        "state": exception.state.as_str(),
        "attempts": exception.attempts,
        "since": exception.since.to_string(),
        "nextAt": exception.state.next_at().map(|at| at.to_string()),
        "last": last,
        "isReplay": exception.is_replay,
    })
}

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    vec![
        attempt.at.to_string(),
        attempt.place.to_string(),
        attempt.entry_id.to_string(),
        attempt.kind.as_str().to_owned(),
        attempt.number.to_string(),
        attempt.took.as_millis().to_string(),
        ended(attempt.end),
    ]
}

fn describe_attempt(attempt: &Attempt) -> Value {
    json!({
        "eventId": attempt.entry_id.to_string(),
        "place": attempt.place.to_string(),
        "kind": attempt.kind.as_str(),
        "attempt": attempt.number,
        "at": attempt.at.to_string(),
        "ms": attempt.took.as_millis(),
        "delivered": attempt.end.is_success(),
        "status": attempt.end.status(),
        "failure": attempt.end.failure().map(CallbackFailure::as_str),
        "answer": attempt.answer,
        "isReplay": attempt.is_replay,
    })
}

/// How far an endpoint is, as JSON.
pub(super) fn describe_status(status: &EndpointStatus) -> Value {
    let progress = &status.progress;
    let breaker = progress.breaker.open.map(|open| {
        json!({
            "openSince": open.since.to_string(), "nextProbeAt": open.probe_at.to_string(), "probes": open.probes,
        })
    });
    json!({
        "place": progress.after.to_string(),
        "behind": status.behind,
        "delivered": progress.delivered,
        "failed": progress.failed,
        "expired": progress.expired,
        "openExceptions": status.open,
        "waiting": status.waiting,
        "dead": status.dead,
        "deliveredAt": progress.delivered_at.map(|at| at.to_string()),
        "failedAt": progress.failed_at.map(|at| at.to_string()),
        "failuresInARow": progress.breaker.failures,
        "notBefore": progress.not_before.map(|at| at.to_string()),
        "breaker": breaker,
    })
}
