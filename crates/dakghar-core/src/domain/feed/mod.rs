//! The feed of a tenant: everything that happens to it, in one order, each event once.
//!
//! An entry is written together with what it tells of, and names the record that has the rest. So nothing stands
//! in it that would have to be erased later, and a record that is erased leaves an entry that still has its place. Places
//! are 1, 2, 3 and so on for each tenant: whoever reads them can see that nothing is missing.

mod announced;
mod chunk;
mod ends;
mod filter;
mod kind;
mod partitions;
mod place;
mod subject;

use aws_lc_rs::digest;
use uuid::Uuid;

use super::ids::{EntryId, MessageKey, PhoneNumberId, TenantId, Wamid};
use super::message::{Message, Origin, Status, StatusRecord, TimelineEvent};
use super::time::Timestamp;
use super::webhook::{EventReason, WebhookEvent};

pub use announced::{Announced, SaveTrace, Verdict};
pub use chunk::{Arrival, Chunk, ENTRY_BYTES};
pub use ends::{ENDS_MAX, FeedEnd, FeedEnds, News, TakenMessage};
pub use filter::{EntryFilter, KindPattern};
pub use kind::{
    ENDPOINT_DISABLED, ENDPOINT_EVENTS_EXPIRED, ENTRY_UNREADABLE, EntryKind, META_KINDS, NUMBER_CHANGED, OWN_KINDS,
    SENDING_HELD, SENDING_RELEASED, TOKEN_EXPIRES,
};
pub use partitions::{PARTITIONS, Partitions};
pub use place::{Place, place_id};
pub use subject::Subject;

/// Something that happened to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// The tenant.
    pub tenant_id: TenantId,
    /// What it tells of.
    pub kind: EntryKind,
    /// The record that has the rest.
    pub subject: Subject,
    /// The business number, where it is known by itself.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The time it came, or happened here.
    pub at: Timestamp,
    /// The time it happened, according to Meta.
    pub reported_at: Option<Timestamp>,
}

impl FeedEntry {
    /// Tells of a message that was written elsewhere.
    pub fn of_message(message: &Message) -> Self {
        let accepted = &message.accepted;
        let received = message
            .delivery
            .timeline
            .iter()
            .find(|entry| entry.event == TimelineEvent::Received);
        Self {
            tenant_id: accepted.tenant_id,
            kind: EntryKind::named(match accepted.origin {
                Origin::Client | Origin::Person => "message.received",
                Origin::BusinessApp => "message.echo",
                Origin::History => "message.history",
            }),
            subject: Subject::Message(accepted.id),
            phone_number_id: Some(accepted.phone_number_id.clone()),
            at: accepted.created_at,
            reported_at: received.and_then(|entry| entry.until),
        }
    }

    /// Tells of a report of Meta's.
    pub fn of_report(report: &StatusRecord) -> Self {
        let evidence = &report.reported.evidence;
        Self {
            tenant_id: report.key.tenant_id,
            kind: EntryKind::named(&format!("status.{}", evidence.status.as_str())),
            subject: Subject::Report {
                message_id: report.key.message_id,
                digest: report.digest().into(),
            },
            phone_number_id: None,
            at: report.reported.received_at,
            reported_at: evidence.reported_at,
        }
    }

    /// Tells what became of a message of ours that had another status. `None` for what a tenant need not know: that it
    /// waits, is being sent, or, what a report says that has an entry of its own, is delivered.
    pub fn of_change(message: &Message, was: Status) -> Option<Self> {
        let Message { accepted, delivery } = message;
        let name = match delivery.status {
            status if status == was => return None,
            Status::Queued | Status::Held if was.is_dead_letter() => "message.redriven",
            Status::InDoubt => "message.in_doubt",
            Status::Cancelled => "message.cancelled",
            Status::Expired => "message.expired",
            Status::Dead => "message.dead",
            Status::Sent => "message.sent",
            Status::Failed => "message.failed",
            // Nobody reports on what was only simulated.
            Status::Delivered if delivery.wamids.iter().any(Wamid::is_mock) => "message.sent",
            Status::Queued | Status::Held | Status::Sending | Status::Delivered | Status::Read | Status::Received => {
                return None;
            }
        };
        Some(Self {
            tenant_id: accepted.tenant_id,
            kind: EntryKind::named(name),
            subject: Subject::Change {
                message_id: accepted.id,
                version: delivery.version.saturating_add(1),
                status: delivery.status,
                attempt: delivery.attempt,
            },
            phone_number_id: Some(accepted.phone_number_id.clone()),
            at: delivery.updated_at,
            reported_at: None,
        })
    }

    /// Tells of an event of a tenant; `None` if nobody is known to own it.
    pub fn of_event(event: &WebhookEvent) -> Option<Self> {
        let kind = match &event.amends {
            Some(amends) if amends.revokes() => EntryKind::named("message.revoked"),
            Some(_) => EntryKind::named("message.edited"),
            None => match event.reason {
                EventReason::Corrected => EntryKind::named("message.corrected"),
                EventReason::Endpoint | EventReason::Hold | EventReason::Token | EventReason::Number => {
                    EntryKind::of_dakghar(&event.field)
                }
                _ => EntryKind::of_field(&event.field),
            },
        };
        Some(Self {
            tenant_id: event.tenant_id?,
            kind,
            subject: Subject::Event(event.id),
            phone_number_id: event.phone_number_id.clone(),
            at: event.received_at,
            reported_at: event.amends.as_ref().map(|amends| amends.at),
        })
    }

    /// Stands where an entry cannot be read. `at` is the time that is left of it, or 1970. When it is mended its own id is
    /// another one.
    pub fn unreadable(tenant_id: TenantId, place: Place, at: Option<Timestamp>) -> Self {
        Self {
            tenant_id,
            kind: EntryKind::named(ENTRY_UNREADABLE),
            subject: Subject::Unreadable(place),
            phone_number_id: None,
            at: at.unwrap_or(Timestamp::from_millis(0)),
            reported_at: None,
        }
    }

    /// Returns its id, which is the same whoever computes it and whenever, and reveals nothing.
    pub fn id(&self) -> EntryId {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.tenant_id.as_uuid().as_bytes());
        context.update(self.subject.to_string().as_bytes());
        let sum = context.finish();
        let first = sum.as_ref().first_chunk().expect("SHA-256 is 32 bytes");
        EntryId::from_uuid(Uuid::from_bytes(*first))
    }

    /// Returns the key of the message that it is about, if it is about one.
    pub fn message_key(&self) -> Option<MessageKey> {
        Some(MessageKey {
            tenant_id: self.tenant_id,
            message_id: self.subject.message_id()?,
        })
    }
}

impl EntryId {
    /// Returns an id that stands for entries that are handed over together, which is the same whenever they are.
    pub fn of_all(ids: impl IntoIterator<Item = Self>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for id in ids {
            context.update(id.as_uuid().as_bytes());
        }
        let sum = context.finish();
        let first = sum.as_ref().first_chunk().expect("SHA-256 is 32 bytes");
        Self::from_uuid(Uuid::from_bytes(*first))
    }
}

/// An entry that has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedEntry {
    /// Its place.
    pub place: Place,
    /// What it tells.
    pub entry: FeedEntry,
}

impl PlacedEntry {
    /// Returns its tenant and place as one text. The texts of a tenant are in the order of the places.
    pub fn id(&self) -> String {
        place_id(&self.entry.tenant_id, self.place)
    }
}

/// The places that a tenant's feed has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedBounds {
    /// The earliest entry that is still there; that behind the last one if none is.
    pub first: Place,
    /// The last place that was given.
    pub last: Place,
}
