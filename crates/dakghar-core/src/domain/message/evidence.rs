//! Merges Meta's reports about a message. Order, repetition and replay cannot change the result.
//!
//! The rule is a lattice: the final status is the one with the highest rank among all evidence. A `failed` of a call
//! that a later call has superseded is history only.

use std::sync::Arc;

use super::super::ids::Wamid;
use super::super::send_error::SendError;
use super::super::time::Timestamp;
use super::Message;
use super::direction::Direction;
use super::status::Status;
use super::timeline::{TimelineEntry, TimelineEvent};

/// Different wamids remembered for one message (more than one only after a duplicate send).
pub const WAMIDS_MAX: usize = 4;

/// A status that Meta reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EvidenceStatus {
    /// Left Meta's servers, or Meta's answer gave it a wamid.
    Sent,
    /// On the device.
    Delivered,
    /// Shown to the person. Implies delivered.
    Read,
    /// First play of a voice message. Counts as read.
    Played,
    /// Could not be delivered.
    Failed,
}

impl EvidenceStatus {
    /// Every status that Meta reports.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::Failed];

    /// Returns Meta's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// Reads Meta's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Returns the message's status if nothing stronger is known.
    pub const fn status(self) -> Status {
        match self {
            Self::Sent => Status::Sent,
            Self::Delivered => Status::Delivered,
            Self::Read | Self::Played => Status::Read,
            Self::Failed => Status::Failed,
        }
    }
}

/// One piece of evidence about one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The reported status.
    pub status: EvidenceStatus,
    /// Meta's id.
    pub wamid: Wamid,
    /// The call it is about, if our callback data came back with it.
    pub attempt: Option<u32>,
    /// The time Meta says it happened.
    pub reported_at: Option<Timestamp>,
    /// The error, if it failed.
    pub error: Option<SendError>,
    /// True if it came by webhook; false for the late answer to a call.
    pub by_webhook: bool,
    /// Of a message to a group: the one participant whom it is about, as Meta names them.
    pub participant: Option<Arc<str>>,
}

impl Evidence {
    /// What it counts for. That one participant did not get a message says that Meta took it, and nothing of the others.
    pub fn counted(&self) -> EvidenceStatus {
        match self.status {
            EvidenceStatus::Failed if self.participant.is_some() => EvidenceStatus::Sent,
            status => status,
        }
    }
}

/// The effect of a piece of evidence on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It was known before, or the message has no statuses: nothing to save.
    Unchanged,
    /// Noted in the history. The status stays.
    Noted,
    /// The status moved forward.
    Advanced,
}

impl Message {
    /// Merges one piece of evidence (T13). Never touches the epoch: a worker that holds it finds out when it saves.
    pub fn merge_evidence(&mut self, now: Timestamp, evidence: &Evidence) -> Merged {
        if self.accepted.direction == Direction::Inbound {
            return Merged::Unchanged;
        }
        let attempt = evidence
            .attempt
            .or_else(|| (self.delivery.wamid.as_ref() == Some(&evidence.wamid)).then_some(self.delivery.attempt))
            // There was no call of ours.
            .filter(|_| !self.is_reported());
        let counted = evidence.counted();
        let wamid_is_new = self.remember_wamid(&evidence.wamid, attempt == Some(self.delivery.attempt));
        if self.has_noted(counted, attempt) {
            return if wamid_is_new { Merged::Noted } else { Merged::Unchanged };
        }

        if evidence.by_webhook && self.delivery.status_seen_at.is_none() {
            self.delivery.status_seen_at = Some(now);
        }
        let mut entry = TimelineEntry::new(now, TimelineEvent::Status)
            .detail(counted.as_str())
            .error(evidence.error.clone().filter(|_| counted == evidence.status));
        entry.attempt = attempt;
        entry.until = evidence.reported_at;
        self.delivery.note(entry);
        self.delivery.updated_at = now;
        self.join_conversation();

        if counted == EvidenceStatus::Failed && self.is_reported() {
            self.delivery.error.clone_from(&evidence.error);
        }
        let status = counted.status();
        if status.rank() <= self.delivery.status.rank() || !self.evidence_counts(counted, attempt) {
            return Merged::Noted;
        }
        self.delivery.status = status;
        if counted == EvidenceStatus::Failed {
            self.delivery.error.clone_from(&evidence.error);
        }
        self.delivery.leave_the_send_path();
        Merged::Advanced
    }

    /// True if the same evidence was merged before.
    fn has_noted(&self, status: EvidenceStatus, attempt: Option<u32>) -> bool {
        self.delivery.timeline.iter().any(|entry| {
            entry.event == TimelineEvent::Status
                && entry.attempt == attempt
                && entry.detail.as_deref() == Some(status.as_str())
        })
    }

    /// True if the evidence counts for the status. Weak evidence about a call that no longer matters is only history:
    /// `failed` of a superseded call, and `sent` or `failed` of a call before the message was sent again on purpose. A
    /// delivery always counts.
    fn evidence_counts(&self, status: EvidenceStatus, attempt: Option<u32>) -> bool {
        let superseded = attempt.is_none_or(|attempt| attempt < self.delivery.attempt);
        match status {
            EvidenceStatus::Delivered | EvidenceStatus::Read | EvidenceStatus::Played => true,
            // What others sent is nothing that we could send again.
            EvidenceStatus::Failed => !superseded && !self.redriven_after(attempt) && !self.is_reported(),
            EvidenceStatus::Sent => !self.redriven_after(attempt),
        }
    }

    fn redriven_after(&self, attempt: Option<u32>) -> bool {
        self.delivery
            .timeline
            .iter()
            .any(|entry| entry.event == TimelineEvent::Redriven && entry.attempt >= attempt.or(Some(0)))
    }

    /// Keeps the wamid. Returns true if it was new. If Meta accepted several calls, the latest one's wamid becomes the
    /// message's own.
    pub(super) fn remember_wamid(&mut self, wamid: &Wamid, of_latest_call: bool) -> bool {
        let is_new = !self.delivery.wamids.contains(wamid);
        if of_latest_call || self.delivery.wamid.is_none() {
            self.delivery.wamid = Some(wamid.clone());
        }
        if is_new && self.delivery.wamids.len() < WAMIDS_MAX {
            self.delivery.wamids.push(wamid.clone());
        }
        is_new && self.delivery.wamids.contains(wamid)
    }

    /// True if Meta is known to have accepted this message more than once.
    pub fn is_duplicate_confirmed(&self) -> bool {
        self.delivery.wamids.len() > 1
    }
}
