//! The feed of a tenant.

use dakghar_core::app::{EntryData, FeedItem, FeedPage};
use dakghar_core::domain::{AmendedMessage, Subject, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::event::EventView;
use super::message::{MessageView, statuses};
use super::status::StatusView;

/// A page of a feed, the earliest entry first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Feed)]
pub(in crate::http) struct FeedView {
    /// The entries.
    data: Vec<EntryView>,
    /// Give it as `after` to read on, at once or later.
    #[schema(example = "1042")]
    next_cursor: String,
}

impl FeedView {
    pub(in crate::http) fn new(page: &FeedPage, wants_raw: bool) -> Self {
        Self {
            data: page.items.iter().map(|item| EntryView::new(item, wants_raw)).collect(),
            next_cursor: page.next.to_string(),
        }
    }

    /// Writes the entries as server-sent events: the place as the id, the kind as the type, and the entry as it is on a page.
    pub(in crate::http) fn write_events(&self, events: &mut Vec<u8>) {
        for entry in &self.data {
            // Neither can break a line: a place is digits, a kind is printable ASCII, and JSON has no bare line ends.
            events.extend_from_slice(format!("id: {}\nevent: {}\ndata: ", entry.place, entry.kind).as_bytes());
            serde_json::to_writer(&mut *events, entry).expect("texts, numbers and JSON");
            events.extend_from_slice(b"\n\n");
        }
    }
}

/// Returns an entry as JSON in one line, as it is on a page.
pub fn feed_entry_json(item: &FeedItem) -> String {
    serde_json::to_string(&EntryView::new(item, false)).expect("texts, numbers and JSON")
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FeedEntry)]
struct EntryView {
    /// The same whenever it is read.
    #[schema(example = "ent_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// Where it stands: 1, 2, 3 and so on, as text.
    #[schema(example = "1042")]
    place: String,
    /// What happened. `message.received`, `message.echo` and `message.history` for messages that were written elsewhere;
    /// `message.sent`, `.failed`, `.dead`, `.expired`, `.cancelled`, `.in_doubt` and `.redriven` for what became of one of
    /// yours (a report that settled an open call tells that it was sent, and there is no `message.sent` then);
    /// `status.sent`, `.delivered`, `.read` and so on for Meta's reports; `message.edited`,
    /// `message.revoked` and `message.corrected` (it came again with another content);
    /// `endpoint.disabled` when Dakghar gave an endpoint up, and `endpoint.events_expired` when events were erased by their age
    /// before an endpoint got them; `sending.held` and `sending.released` when sending is paused, or stopped because
    /// Meta refuses the token or restricts the account, of a number or the tenant, and when that ends; `token.expires` when the
    /// access token of a number ends within 14, 7 and 1 days; `number.changed` when a check of a number found something changed
    /// at Meta; `entry.unreadable` where the
    /// entry itself cannot be read, whatever it was, which no filter leaves out; `meta.` and the name of Meta's field for everything else.
    #[schema(example = "message.received")]
    kind: String,
    /// When it came, or happened here.
    at: String,
    /// When it happened, according to Meta.
    reported_at: Option<String>,
    /// Milliseconds from `reportedAt` to `at`: Meta tells some things late, up to days.
    #[schema(example = 412)]
    delay_ms: Option<u64>,
    /// What it is about, as it is now: a message, a report with its message, a change with its message, or an event; `null`
    /// when that was erased, or cannot be read.
    data: Option<DataView>,
    /// True where `data` is `null` because it is there and cannot be read until it is mended; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<bool>,
}

impl EntryView {
    fn new(item: &FeedItem, wants_raw: bool) -> Self {
        let FeedItem { place, entry, data } = item;
        let delay = entry
            .reported_at
            .map(|reported_at| entry.at.since(reported_at).as_millis());
        Self {
            id: entry.id().to_string(),
            place: place.to_string(),
            kind: entry.kind.as_str().to_owned(),
            at: entry.at.to_string(),
            reported_at: entry.reported_at.as_ref().map(Timestamp::to_string),
            delay_ms: delay.map(|delay| u64::try_from(delay).unwrap_or(u64::MAX)),
            data: DataView::new(&entry.subject, data, wants_raw),
            unreadable: unreadable(data),
        }
    }
}

/// Says that something cannot be read.
pub(super) fn unreadable(data: &EntryData) -> Option<bool> {
    matches!(data, EntryData::Unreadable).then_some(true)
}

/// What an entry is about.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FeedEntryData)]
pub(super) enum DataView {
    Message(Box<MessageView>),
    Report(Box<ReportView>),
    Change(Box<ChangeView>),
    Event(Box<EventView>),
}

/// A report of Meta's.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedReport)]
pub(super) struct ReportView {
    /// The report.
    report: StatusView,
    /// The message, as it is now; `null` when it was erased.
    message: Option<MessageView>,
}

/// What became of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedChange)]
pub(super) struct ChangeView {
    /// What it became.
    #[schema(schema_with = statuses)]
    status: &'static str,
    /// Calls to Meta by then.
    attempts: u32,
    /// The message, as it is now.
    message: MessageView,
}

impl DataView {
    pub(super) fn new(subject: &Subject, data: &EntryData, wants_raw: bool) -> Option<Self> {
        let message = |amended: &AmendedMessage| {
            if wants_raw {
                MessageView::with_statuses(amended, &[], true).without_statuses()
            } else {
                MessageView::from(amended)
            }
        };
        Some(match data {
            EntryData::Message(amended) => match subject {
                Subject::Change { status, attempt, .. } => Self::Change(Box::new(ChangeView {
                    status: status.as_str(),
                    attempts: *attempt,
                    message: message(amended),
                })),
                _ => Self::Message(Box::new(message(amended))),
            },
            EntryData::Report(report, amended) => Self::Report(Box::new(ReportView {
                report: StatusView::new(report, wants_raw),
                message: amended.as_deref().map(message),
            })),
            EntryData::Event(event) => Self::Event(Box::new(EventView::from(&**event))),
            EntryData::Gone | EntryData::Unreadable => return None,
        })
    }
}
