//! `dakghar endpoint …`: endpoints of tenants, for the operator's shell.

mod creation;
mod deliveries;
mod named;
mod replays;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Subcommand;
use dakghar_core::app::{EndpointChanges, Endpoints, ExpectedVersion, NewEndpoint, NewSecret, StartAt};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::endpoint::{DeliveryOrder, EndpointFormat};
use dakghar_core::domain::sealed_secret::SealedSecret;
use dakghar_core::domain::{Endpoint, KindPattern, Secret, Timestamp, send_request};
use serde_json::{Value, json};

use super::arguments::parse_tenant;
use super::output;
use crate::config::Config;
use crate::wiring::{Purpose, wire};
use named::Named;

/// The long help after the commands. A paragraph is one line, because clap wraps it to the width of the terminal.
pub const AFTER_HELP: &str = "\
An endpoint is a URL at which a tenant gets the entries of its feed: messages that came, Meta's reports, what became of \
its own messages, events. A tenant has 20 at most; that of its callbackUrl is one of them.

Secrets:
  Each call is signed by the endpoint's secret. It is printed once, when it is made up, and is stored sealed. After \
rotate-secret calls carry both signatures for a while, so that the receiver can be changed in between.

What an endpoint does not get while it is paused or disabled waits in the feed, for as long as that is kept. A running \
server follows within a few seconds.

Exit status:
  0   done
  1   it was not done; standard error says why
  64  wrong usage or settings

Examples:
  dakghar endpoint create ten_… https://example.com/hook
  dakghar endpoint create ten_… https://example.com/hook --kind message.received --kind 'status.*' --start beginning
  dakghar endpoint update ten_… end_… --per-second 100 --header 'Authorization: Bearer 7f3a'
  dakghar endpoint rotate-secret ten_… end_… --overlap-seconds 3600
  dakghar endpoint exceptions ten_… end_… --state dead
  dakghar endpoint replay ten_… end_… --failed-since 2026-11-22T10:00:00Z --dry-run
  dakghar endpoint list ten_…";

/// The commands on endpoints.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an endpoint; prints its secret, which is shown only once
    Create(Creation),
    /// List the endpoints of a tenant
    List {
        /// The tenant's id, ten_….
        tenant_id: String,
        /// Print JSON, one endpoint a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one endpoint and how far it is; its secrets and the values of its headers are never shown
    Show(Named),
    /// Call an endpoint once with an event that is marked as a test, and show the answer
    ///
    /// Changes nothing else; a paused or disabled endpoint can be tested. Exit status 1 if it was not taken.
    Test(Named),
    /// List what an endpoint has not taken
    Exceptions {
        #[command(flatten)]
        listing: deliveries::Listing,
        /// What is still tried, or what is not any more.
        #[arg(long, value_enum, default_value = "open")]
        state: deliveries::State,
    },
    /// List the attempts of an endpoint, the latest first
    Attempts(deliveries::Listing),
    /// Deliver events again: some, what failed since a time, or a part of the feed
    Replay(replays::Replaying),
    /// List the replays of an endpoint, the latest first
    Replays(Named),
    /// End a replay; what it has delivered stays so
    CancelReplay(replays::NamedReplay),
    /// Change an endpoint: what is not named stays
    Update(Update),
    /// Stop calling an endpoint; what it does not get waits in the feed
    Pause(Named),
    /// Call an endpoint again, whatever stopped it
    Resume(Named),
    /// Give an endpoint another secret; the one before it signs as well for a while
    RotateSecret {
        #[command(flatten)]
        endpoint: Named,
        /// The secret; made up, and printed once, when absent. Better from the environment than on the command line.
        #[arg(long, env = "NEW_ENDPOINT_SECRET", hide_env_values = true)]
        secret: Option<String>,
        /// How long the one before it signs as well, in seconds, 30 days at most.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u32,
    },
    /// Delete an endpoint; what it did not get yet it does not get
    Delete(Named),
}

/// An endpoint to make.
#[derive(Debug, clap::Args)]
pub struct Creation {
    /// The tenant's id, ten_….
    tenant_id: String,
    /// The URL that is called: https, with a public host.
    url: String,
    /// What a call looks like: Standard Webhooks, or what Meta would have posted.
    #[arg(long, default_value = EndpointFormat::Standard.as_str(), value_parser = EndpointFormat::ALL.map(EndpointFormat::as_str))]
    format: String,
    /// From where on it gets entries: now, beginning, or a time such as 2026-11-22T10:00:00Z.
    #[arg(long, default_value = "now", value_name = "PLACE")]
    start: String,
    /// The secret that signs its calls; made up, and printed once, when absent. Better from the environment.
    #[arg(long, env = "NEW_ENDPOINT_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Under the same key the endpoint is made once, and shown again as often as it is asked for.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// Changes of an endpoint.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Update {
    #[command(flatten)]
    endpoint: Named,
    /// Another URL.
    #[arg(long)]
    url: Option<String>,
    /// All kinds again.
    #[arg(long, conflicts_with = "kind")]
    all_kinds: bool,
    /// All numbers again.
    #[arg(long, conflicts_with = "number")]
    all_numbers: bool,
    /// No headers any more.
    #[arg(long, conflicts_with = "header")]
    no_headers: bool,
    /// No verify token any more, and so no challenge.
    #[arg(long, conflicts_with = "verify_token")]
    no_verify_token: bool,
    /// Only if it still has this version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

/// What is said of an endpoint, whether it is made or changed.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Only this kind of entries, or the beginning of kinds and *; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only this number, by Meta's id of it; may be repeated.
    #[arg(long, value_name = "NUMBER")]
    number: Vec<String>,
    /// With conversation an entry that fails holds back those behind it of its conversation.
    #[arg(long, value_parser = DeliveryOrder::ALL.map(DeliveryOrder::as_str))]
    order: Option<String>,
    /// The most entries in a call, 1 to 100.
    #[arg(long, value_name = "NUMBER")]
    batch_max: Option<u32>,
    /// The most calls in a second, 1 to 10000.
    #[arg(long, value_name = "NUMBER")]
    per_second: Option<u32>,
    /// The most calls under way, 1 to 32.
    #[arg(long, value_name = "NUMBER")]
    concurrency: Option<u32>,
    /// A header that is sent with each call, as 'Name: value'; may be repeated. They take the place of all there were.
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The token of Meta's challenge, which the receiver must answer then. Better from the environment.
    #[arg(long, env = "NEW_VERIFY_TOKEN", hide_env_values = true)]
    verify_token: Option<String>,
}

impl Settings {
    fn changes(self) -> anyhow::Result<EndpointChanges> {
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        let headers = self.header.iter().map(|header| {
            // The value may be secret, so it is not repeated.
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| anyhow!("a header must look like 'Name: value'"))?;
            Ok((name.trim().to_owned(), Secret::new(value.trim())))
        });
        let headers = headers.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(EndpointChanges {
            url: None,
            kinds: some(self.kind),
            phone_number_ids: some(self.number),
            order: self.order.as_deref().and_then(DeliveryOrder::parse),
            batch_max: self.batch_max,
            per_second: self.per_second,
            concurrency: self.concurrency,
            headers: Some(headers).filter(|headers| !headers.is_empty()),
            verify_token: self.verify_token.map(|token| Some(Secret::new(token))),
        })
    }
}

/// Runs one command, beside a server or without one.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = wire(&config, Purpose::Command, Arc::default()).await?.app;
    let endpoints = &app.endpoints;
    let any = ExpectedVersion::ANY;
    match command {
        Command::Create(creation) => creation.carry_out(endpoints).await?,
        Command::List { tenant_id, json } => {
            let tenant_id = parse_tenant(&tenant_id)?;
            app.tenants.stored(&tenant_id).await?;
            list(&endpoints.list(&tenant_id).await?, json);
        }
        Command::Show(named) => {
            let endpoint = endpoints.find(&named.tenant()?, &named.endpoint_id).await?;
            let mut shown = describe(&endpoint);
            shown["progress"] = deliveries::describe_status(&app.reading.endpoint_status(&endpoint).await?);
            output::line(&serde_json::to_string_pretty(&shown)?);
        }
        Command::Test(named) => deliveries::test(&app, &named).await?,
        Command::Exceptions { listing, state } => listing.exceptions(&app, state).await?,
        Command::Attempts(listing) => listing.attempts(&app).await?,
        Command::Replay(replaying) => replaying.carry_out(&app).await?,
        Command::Replays(named) => replays::list(&app, &named).await?,
        Command::CancelReplay(named) => replays::cancel(&app, &named).await?,
        Command::Update(update) => update.carry_out(endpoints).await?,
        Command::Pause(named) => {
            let tenant_id = named.tenant()?;
            let paused = endpoints.pause(&tenant_id, &named.endpoint_id, &any, Principal::CLI);
            output::line(paused.await?.state.as_str());
        }
        Command::Resume(named) => {
            let tenant_id = named.tenant()?;
            let resumed = endpoints.resume(&tenant_id, &named.endpoint_id, &any, Principal::CLI);
            output::line(resumed.await?.state.as_str());
        }
        Command::RotateSecret {
            endpoint: named,
            secret,
            overlap_seconds,
        } => {
            let (tenant_id, secret) = (named.tenant()?, secret.map(Secret::new));
            let (secret, overlap) = (secret.as_ref(), Some(Duration::from_secs(overlap_seconds.into())));
            let new = NewSecret { secret, overlap };
            let rotated = endpoints
                .rotate(&tenant_id, &named.endpoint_id, new, &any, Principal::CLI)
                .await?;
            creation::show_secret(&rotated);
            let count = rotated.endpoint.valid_secrets(app.wall()).count();
            output::line(&format!("{count} secrets sign at present"));
        }
        Command::Delete(named) => {
            endpoints
                .remove(&named.tenant()?, &named.endpoint_id, &any, Principal::CLI)
                .await?;
            output::line("deleted");
        }
    }
    Ok(())
}

impl Creation {
    async fn carry_out(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let tenant_id = parse_tenant(&self.tenant_id)?;
        let keys: Vec<&[u8]> = self.idempotency_key.iter().map(String::as_bytes).collect();
        let key = send_request::key_in_headers(&keys)?;
        let new = self.into_new_endpoint()?;
        let created = endpoints.create(&tenant_id, &new, key.as_ref(), Principal::CLI).await?;
        creation::show(&created);
        Ok(())
    }

    fn into_new_endpoint(self) -> anyhow::Result<NewEndpoint> {
        let start = match &*self.start {
            "now" => StartAt::Now,
            "beginning" => StartAt::Beginning,
            time => match Timestamp::parse_rfc3339(time) {
                Some(time) => StartAt::Time(time),
                None => bail!("--start must be now, beginning, or a time such as 2026-11-22T10:00:00Z"),
            },
        };
        Ok(NewEndpoint {
            format: EndpointFormat::parse(&self.format).unwrap_or_default(),
            settings: EndpointChanges {
                url: Some(self.url),
                ..self.settings.changes()?
            },
            start,
            secret: self.secret.map(Secret::new),
        })
    }
}

impl Update {
    async fn carry_out(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let tenant_id = self.endpoint.tenant()?;
        let version = self.if_version;
        let expected = version.map_or(ExpectedVersion::ANY, |version| ExpectedVersion::one_of(vec![version]));
        let id = self.endpoint.endpoint_id.clone();
        let changes = self.changes()?;
        let changed = endpoints
            .change(&tenant_id, &id, &changes, &expected, Principal::CLI)
            .await?;
        output::line(&format!("changed: version {}", changed.version));
        Ok(())
    }

    fn changes(self) -> anyhow::Result<EndpointChanges> {
        let mut changes = EndpointChanges {
            url: self.url,
            ..self.settings.changes()?
        };
        if self.all_kinds {
            changes.kinds = Some(Vec::new());
        }
        if self.all_numbers {
            changes.phone_number_ids = Some(Vec::new());
        }
        if self.no_headers {
            changes.headers = Some(Vec::new());
        }
        if self.no_verify_token {
            changes.verify_token = Some(None);
        }
        Ok(changes)
    }
}

fn list(endpoints: &[Endpoint], is_json: bool) {
    const NONE: &str = "no endpoints yet; make one with `dakghar endpoint create`";
    if is_json {
        for endpoint in endpoints {
            output::line(&describe(endpoint).to_string());
        }
        return;
    }
    let rows: Vec<Vec<String>> = endpoints.iter().map(row).collect();
    output::list(&["ENDPOINT", "URL", "FORMAT", "KINDS", "STATE", "SINCE"], &rows, NONE);
}

fn row(endpoint: &Endpoint) -> Vec<String> {
    let kinds: Vec<&str> = endpoint.filter.kinds.iter().map(KindPattern::as_str).collect();
    vec![
        endpoint.id.to_string(),
        endpoint.url.clone(),
        endpoint.format.as_str().to_owned(),
        if kinds.is_empty() {
            "all".to_owned()
        } else {
            kinds.join(",")
        },
        endpoint.state.as_str().to_owned(),
        endpoint.created_at.to_string(),
    ]
}

fn describe(endpoint: &Endpoint) -> Value {
    let secret = |secret: &SealedSecret| {
        json!({
            "addedAt": secret.added_at.to_string(),
            "validUntil": secret.valid_until.map(|until| until.to_string()),
        })
    };
    let disabled = endpoint.state.disabled();
    let filter = &endpoint.filter;
    json!({
        "endpointId": endpoint.id.to_string(),
        "url": endpoint.url,
        "isCallbackUrl": endpoint.is_of_callback_url(),
        "format": endpoint.format.as_str(),
        "kinds": filter.kinds.iter().map(KindPattern::as_str).collect::<Vec<_>>(),
        "phoneNumberIds": filter.phone_number_ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "order": endpoint.order.as_str(),
        "batchMax": endpoint.batch_max,
        "perSecond": endpoint.per_second,
        "concurrency": endpoint.concurrency,
        "headers": endpoint.header_names,
        "secrets": endpoint.secrets.iter().map(secret).collect::<Vec<_>>(),
        "hasVerifyToken": endpoint.sealed_verify_token.is_some(),
        "state": endpoint.state.as_str(),
        "disabled": disabled.map(|(reason, at)| json!({"reason": reason.as_str(), "at": at.to_string()})),
        "startsBehind": endpoint.start.to_string(),
        "version": endpoint.version,
        "createdAt": endpoint.created_at.to_string(),
        "updatedAt": endpoint.updated_at.to_string(),
    })
}
