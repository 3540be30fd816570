//! `dakghar feed tail`: the entries of a feed as they come.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use dakghar_core::app::{App, Deed, EntryData, Failure, Fault, FeedItem, feed_place};
use dakghar_core::domain::audit::{AuditAction, Principal};
use dakghar_core::domain::{EntryFilter, KindPattern, PhoneNumberId, Place, Subject, TenantId};
use dakghar_core::episode::Episode;
use dakghar_server::http::feed_entry_json;
use dakghar_server::worker::watch_news;
use tokio::signal;
use tokio::time::sleep;

use super::super::arguments::parse_tenant;
use super::super::output::{self, Colour};

/// Entries that are read at once.
const READ_MAX: u32 = 100;
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Which entries, and how they are shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant.
    tenant: String,
    /// Begin behind this place.
    #[arg(long, value_name = "PLACE", conflicts_with = "from_start")]
    after: Option<String>,
    /// Begin at the earliest entry that is there.
    #[arg(long)]
    from_start: bool,
    /// Only entries of this kind, or of those that begin so: message.received, 'status.*'. Several are possible.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only entries about this phone number id. Several are possible.
    #[arg(long, value_name = "PHONE_NUMBER_ID")]
    number: Vec<String>,
    /// Print each entry as one line of JSON, as the API shows it.
    #[arg(long)]
    json: bool,
}

/// Shows entries until a signal, or until nobody reads them any more.
pub async fn run(app: &App, args: &Args, colour: Colour) -> anyhow::Result<()> {
    let tenant_id = parse_tenant(&args.tenant)?;
    app.tenants.find(&tenant_id).await.map_err(told)?;
    let filter = filter(args)?;
    let start = match &args.after {
        Some(place) => Some(feed_place(place).map_err(|_| anyhow!("{place} is not a place of a feed"))?),
        None if args.from_start => None,
        None => Some(app.reading.feed_end(&tenant_id).await.map_err(told)?),
    };
    let deed = Deed::new(Principal::CLI, AuditAction::BodiesRead).of(&tenant_id);
    app.auditing.note(&deed.about("route", "dakghar feed tail")).await?;
    let show = |item: &FeedItem| {
        if args.json {
            output::try_line(&feed_entry_json(item))
        } else {
            output::try_line(&line_of(item, colour))
        }
    };
    tokio::select! {
        followed = follow(app, &tenant_id, start, &filter, show) => followed,
        () = watch_news(app.watching.clone()) => Ok(()),
        interrupted = signal::ctrl_c() => interrupted.context("signals cannot be heard"),
    }
}

fn filter(args: &Args) -> anyhow::Result<EntryFilter> {
    let mut filter = EntryFilter::default();
    for kind in &args.kind {
        let Some(pattern) = KindPattern::parse(kind).filter(KindPattern::can_match) else {
            bail!("--kind {kind}: entries have kinds such as message.received; 'status.*' is all that begin so");
        };
        filter.kinds.push(pattern);
    }
    for number in &args.number {
        let id = PhoneNumberId::parse(number);
        filter
            .phone_number_ids
            .push(id.map_err(|_| anyhow!("--number {number}: a phone number id has 1 to 20 digits"))?);
    }
    Ok(filter)
}

async fn follow(
    app: &App,
    tenant_id: &TenantId,
    start: Option<Place>,
    filter: &EntryFilter,
    show: impl Fn(&FeedItem) -> bool,
) -> anyhow::Result<()> {
    let mut subscription = app.watching.subscribe(tenant_id);
    let failing = Episode::default();
    let mut after = start;
    loop {
        match app.reading.feed_page(tenant_id, after, READ_MAX, filter).await {
            Ok(page) => {
                if failing.end().is_some() {
                    output::note("The feed can be read again.");
                }
                if !page.items.iter().all(&show) {
                    // Whoever reads the output has seen enough.
                    return Ok(());
                }
                after = Some(page.next);
                if page.is_at_end {
                    subscription.behind(page.next).await;
                }
            }
            Err(failure) if failure.fault() == Fault::Caller => return Err(told(failure)),
            Err(failure) => {
                if failing.note() {
                    output::note(&format!(
                        "The feed cannot be read at the moment and is tried again: {failure}"
                    ));
                }
                sleep(FAILURE_WAIT).await;
            }
        }
    }
}

fn told(failure: impl Into<Failure>) -> anyhow::Error {
    anyhow::Error::from(failure.into())
}

/// An entry for people: where and when, what, and about what.
fn line_of(item: &FeedItem, colour: Colour) -> String {
    let kind = item.entry.kind.as_str();
    let number = item.phone_number_id().map_or("-", PhoneNumberId::as_str);
    let place = colour.dim(&format!("{:>7}", item.place.to_string()));
    let kind = colour.of_kind(kind, &format!("{kind:<22}"));
    format!(
        "{place}  {}  {kind}  {number:<16}  {}",
        item.entry.at,
        output::harmless(&about(item))
    )
}

fn about(item: &FeedItem) -> String {
    let message = match &item.data {
        EntryData::Message(amended) | EntryData::Report(_, Some(amended)) => Some(&amended.message.accepted),
        EntryData::Report(_, None) | EntryData::Event(_) | EntryData::Gone | EntryData::Unreadable => None,
    };
    let subject = match &item.entry.subject {
        Subject::Event(id) => id.to_string(),
        other => other.message_id().map(|id| id.to_string()).unwrap_or_default(),
    };
    match (message.and_then(|message| message.peer.as_deref()), &item.data) {
        (Some(peer), _) => format!("{subject}  {peer}"),
        (None, EntryData::Gone) => format!("{subject}  (erased)"),
        (None, EntryData::Unreadable) => format!("{subject}  (cannot be read)"),
        (None, _) => subject,
    }
}
