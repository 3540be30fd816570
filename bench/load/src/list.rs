//! The time that a page of messages takes, under each of several filters, and one of the feed at its start, middle and end:
//! one connection, one request after the other, the tenants in turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http::HeaderValue;
use serde_json::{Value, json};

use crate::client::{Connection, Proof};
use crate::histogram::Histogram;
use crate::sends::{Failure, Failures};
use crate::tenants::{self, TargetArgs, Tenant};

/// How long one filter may take in all.
const SECONDS_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// The start of a range of times in which every tenant has some messages, but not many; RFC 3339.
    #[arg(long)]
    since: String,
    /// The end of that range.
    #[arg(long)]
    until: String,
    /// Requests for each filter.
    #[arg(long, default_value_t = 100)]
    requests: usize,
}

/// A page of one tenant's messages.
struct Page {
    path: String,
    authorization: HeaderValue,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Value> {
    let mut connection = Connection::to(&args.target.base)?;
    let mut pages: BTreeMap<&str, Vec<Page>> = BTreeMap::new();
    for tenant in tenants::load(&args.target.tenants)? {
        for (filter, path) in filters(&mut connection, &tenant, args).await? {
            let authorization = tenant.authorization()?;
            pages.entry(filter).or_default().push(Page { path, authorization });
        }
    }
    let (mut latency, mut failures) = (BTreeMap::new(), Failures::default());
    for (filter, pages) in pages {
        latency.insert(
            filter,
            read(&mut connection, &pages, args.requests, &mut failures)
                .await
                .to_json(),
        );
    }
    Ok(json!({ "latencyMs": latency, "failures": failures.to_json() }))
}

/// The path of a page under each filter.
async fn filters(
    connection: &mut Connection,
    tenant: &Tenant,
    args: &Args,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let all = format!("{}?limit=50", tenant.messages_path());
    let created = format!("{all}&since={}&until={}", args.since, args.until);
    let cursor = answer(connection, tenant, &all).await?["nextCursor"].clone();
    let cursor = cursor.as_str().context("there is no second page")?;
    let old = answer(connection, tenant, &created).await?["data"][0].clone();
    let person = old["to"].as_str().context("no message is in the range of times")?;
    let thread = old["conversationId"].as_str().context("the message is in no thread")?;
    let feed = format!("{}?limit=50", tenant.feed_path());
    let end = answer(connection, tenant, &format!("{feed}&after=latest")).await?;
    let last: u64 = end["nextCursor"].as_str().context("the feed has no end")?.parse()?;
    Ok(vec![
        ("secondPage", format!("{all}&cursor={cursor}")),
        ("created", created),
        ("person", format!("{all}&to={}", person.trim_start_matches('+'))),
        (
            "thread",
            format!("{}/messages?limit=50", tenant.conversation_path(thread)),
        ),
        ("number", format!("{all}&phoneNumberId={}", tenant.phone_number_id)),
        ("statusRead", format!("{all}&status=read")),
        ("statusFailed", format!("{all}&status=failed")),
        ("feedStart", format!("{feed}&after=0")),
        ("feedMiddle", format!("{feed}&after={}", last / 2)),
        ("feedEnd", format!("{feed}&after={}", last.saturating_sub(50))),
        ("all", all),
    ])
}

async fn answer(connection: &mut Connection, tenant: &Tenant, path: &str) -> anyhow::Result<Value> {
    let answer = connection.get(path, Proof::Bearer(&tenant.authorization()?)).await?;
    ensure!(answer.status == 200, "{path} was answered with {}", answer.status);
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The first page of each tenant warms up and does not count.
async fn read(connection: &mut Connection, pages: &[Page], requests: usize, failures: &mut Failures) -> Histogram {
    let mut latency = Histogram::default();
    let give_up = Instant::now() + SECONDS_MAX;
    for (index, page) in pages.iter().cycle().take(pages.len() + requests).enumerate() {
        let started = Instant::now();
        if started > give_up {
            break;
        }
        match connection.get(&page.path, Proof::Bearer(&page.authorization)).await {
            Ok(answer) if answer.status == 200 && index >= pages.len() => latency.record(started.elapsed()),
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => failures.add(Failure::Status(answer.status)),
            Err(_) => failures.add(Failure::Connection),
        }
    }
    latency
}
