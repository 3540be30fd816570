//! Meta's reports on a message, kept as records beside it.
//!
//! A report is written once and never changed, so writing it reads nothing and waits for nobody. It changes the message
//! itself only where that has to know: see [`Standing::is_changed_by`]. Whoever shows a message merges its reports first
//! ([`Message::merge_reports`]); merging is idempotent and does not depend on the order, so what was merged before and
//! stored does no harm.

use std::sync::Arc;

use aws_lc_rs::digest;

use super::super::ids::{MessageKey, Wamid};
use super::super::time::Timestamp;
use super::super::trace::TraceContext;
use super::Message;
use super::evidence::{Evidence, EvidenceStatus};
use super::status::Status;

/// The part of a report that counts for the state of its message.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// What it says.
    pub evidence: Evidence,
    /// The time it came.
    pub received_at: Timestamp,
}

/// A report as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusRecord {
    /// The message it is about.
    pub key: MessageKey,
    /// What it says, and when it came.
    pub reported: Reported,
    /// The whole status as received, as JSON text.
    pub raw: Arc<str>,
    /// What stood around it: see [`framed`](crate::domain::webhook::framed).
    pub frame: Option<Arc<str>>,
}

/// Bytes of the digest of a report: enough that two different ones never meet.
const DIGEST_BYTES: usize = 16;

impl StatusRecord {
    /// Returns what tells it from the other reports on its message: a digest of the status as Meta wrote it, as 32 hex
    /// digits. Meta repeats itself word for word.
    pub fn digest(&self) -> String {
        let sum = digest::digest(&digest::SHA256, self.raw.as_bytes());
        hex::encode(&sum.as_ref()[..DIGEST_BYTES])
    }

    /// Returns its id as text, unique among all reports. Those of a message share what is before the last slash, those of
    /// a tenant what is before the first.
    pub fn id(&self) -> String {
        format!("{}{}", Self::ids_of(&self.key), self.digest())
    }

    /// Returns the beginning of the ids of a message's reports.
    pub fn ids_of(key: &MessageKey) -> String {
        format!("{}/{}/", key.tenant_id, key.message_id)
    }
}

/// How a message stands, as far as a report on it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: Status,
    /// Every id that Meta is known to have given it.
    pub wamids: Vec<Wamid>,
    /// The span in which it was accepted, where traces are kept.
    pub trace: Option<TraceContext>,
    /// The number of its latest call, and the time at which that was authorised; `None` if it was never called.
    pub last_call: Option<(u32, Timestamp)>,
    /// True if the report was not known before.
    pub report_is_new: bool,
}

impl Standing {
    /// True if the message itself must change: it is not sent yet, ended otherwise, is reported as failed, or has got an
    /// id of Meta's that it does not know. A message that was sent, with evidence that it came further, stays as it is
    /// stored: that is found when its reports are merged.
    pub fn is_changed_by(&self, evidence: &Evidence) -> bool {
        !self.status.is_derived()
            || evidence.counted() == EvidenceStatus::Failed
            || !self.wamids.contains(&evidence.wamid)
    }
}

impl Status {
    /// True for what a message may be by its reports while it is stored as sent.
    pub const fn is_derived(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Read)
    }

    /// True if the reports on a message with this status may tell more than is stored. A message is stored as failed for a
    /// moment though it is known to be delivered, when both are reported at once.
    pub const fn may_be_further(self) -> bool {
        self.is_derived() || self.is_dead_letter()
    }

    /// The statuses that a message may be stored with which has this one when its reports are merged.
    pub const fn stored_as(&self) -> &[Self] {
        match self {
            Self::Sent | Self::Delivered | Self::Read => &[Self::Sent, Self::Delivered, Self::Read],
            other => std::slice::from_ref(other),
        }
    }
}

impl Message {
    /// Merges its reports into this copy, for people. Nothing of it needs to be saved.
    pub fn merge_reports(&mut self, mut reports: Vec<Reported>) {
        let updated_at = self.delivery.updated_at;
        reports.sort_by_key(|reported| (reported.received_at, reported.evidence.status));
        for reported in &reports {
            self.merge_evidence(reported.received_at, &reported.evidence);
        }
        self.delivery.updated_at = self.delivery.updated_at.max(updated_at);
        if let Some(later) = self.delivery.timeline.get_mut(1..).filter(|_| !reports.is_empty()) {
            later.sort_by_key(|entry| entry.at);
        }
    }
}
