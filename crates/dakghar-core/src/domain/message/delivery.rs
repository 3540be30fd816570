//! The part of a message that delivery changes, and that every save writes.

use std::sync::Arc;

use super::super::hold::HoldReason;
use super::super::ids::{ConversationId, Wamid};
use super::super::send_error::SendError;
use super::super::time::Timestamp;
use super::status::Status;
use super::timeline::{TimelineEntry, TimelineEvent};

/// Entries a timeline keeps; past that the oldest after the first are dropped.
pub const TIMELINE_ENTRIES_MAX: usize = 64;

/// Why a message was given up without a verdict from Meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// Every attempt was refused in a way that allowed another.
    AttemptsExhausted,
    /// A call may have delivered it; nobody can say.
    OutcomeUnknown,
    /// Preparing it crashed the worker again and again.
    Poison,
    /// The number it was to go out from does not belong to the tenant any more.
    NumberRemoved,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::AttemptsExhausted,
        Self::OutcomeUnknown,
        Self::Poison,
        Self::NumberRemoved,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Poison => "poison",
            Self::NumberRemoved => "number_removed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The right to call Meta for a message, for a limited time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which worker process.
    pub owner: Arc<str>,
    /// Until when, by the store's clock.
    pub until: Timestamp,
}

/// Where a message stands and how it got there.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// No call starts after this. Taken away when somebody sends it again on purpose.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub status: Status,
    /// Fencing token: raised by every claim, takeover, resolution and redrive; never lowered.
    pub epoch: u64,
    /// Calls to Meta authorised so far. The number of the latest is part of what we send to Meta.
    pub attempt: u32,
    /// Calls that do not count against `attempts_max`, because Meta only asked us to slow down or to fix the token.
    pub attempts_refunded: u32,
    /// Poison detector: crashes and panics before a claim.
    pub strikes: u32,
    /// Who may be calling Meta for it now.
    pub lease: Option<Lease>,
    /// When the latest call was authorised.
    pub called_at: Option<Timestamp>,
    /// A call with an unknown outcome exists. Sticky.
    pub maybe_sent: bool,
    /// Until when we wait for evidence of an unknown outcome.
    pub grace_until: Option<Timestamp>,
    /// When it may be sent.
    pub slot_at: Option<Timestamp>,
    /// How many times it was put into the queue again; part of the queue's job id.
    pub drive: u32,
    /// The only timer: when the reconciler must look at it. `None` when nothing remains to be done.
    pub wake_at: Option<Timestamp>,
    /// When it was last put into the queue under its present drive.
    pub enqueued_at: Option<Timestamp>,
    /// Why it was given up, if it was.
    pub dead_reason: Option<DeadReason>,
    /// Why it is held, if it is.
    pub hold_reason: Option<HoldReason>,
    /// Meta's id: the sent one, or the received one.
    pub wamid: Option<Wamid>,
    /// Every wamid that Meta ever gave this message.
    pub wamids: Vec<Wamid>,
    /// The latest refusal or failure.
    pub error: Option<SendError>,
    /// When a status webhook about it first arrived: proof that the number's statuses flow.
    pub status_seen_at: Option<Timestamp>,
    /// The thread it belongs to; set when the first call's outcome is known, or when it is received.
    pub conversation_id: Option<ConversationId>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

impl Delivery {
    /// A message that was just accepted: queued, without a slot or a timer.
    pub const fn queued(now: Timestamp) -> Self {
        Self::new(Status::Queued, now)
    }

    /// A message that a person sent.
    pub const fn received(now: Timestamp) -> Self {
        Self::new(Status::Received, now)
    }

    const fn new(status: Status, now: Timestamp) -> Self {
        Self {
            expires_at: None,
            status,
            epoch: 0,
            attempt: 0,
            attempts_refunded: 0,
            strikes: 0,
            lease: None,
            called_at: None,
            maybe_sent: false,
            grace_until: None,
            slot_at: None,
            drive: 0,
            wake_at: None,
            enqueued_at: None,
            dead_reason: None,
            hold_reason: None,
            wamid: None,
            wamids: Vec::new(),
            error: None,
            status_seen_at: None,
            conversation_id: None,
            timeline: Vec::new(),
            updated_at: now,
            version: 0,
        }
    }

    /// Calls that count against the message's `attempts_max`.
    pub const fn attempts_counted(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_refunded)
    }

    /// Clears what only matters while it is being sent. The error of a failure stays.
    pub(super) fn leave_the_send_path(&mut self) {
        self.lease = None;
        self.grace_until = None;
        self.slot_at = None;
        self.wake_at = None;
        self.enqueued_at = None;
        self.hold_reason = None;
        if matches!(self.status, Status::Sent | Status::Delivered | Status::Read) {
            self.error = None;
            self.dead_reason = None;
        }
    }

    /// Adds an entry, and keeps the timeline short: the first entry, every status and redrive, and the newest stay.
    pub(super) fn note(&mut self, entry: TimelineEntry) {
        self.timeline.push(entry);
        if self.timeline.len() > TIMELINE_ENTRIES_MAX {
            let drop = self
                .timeline
                .iter()
                .skip(1)
                .position(|entry| !matches!(entry.event, TimelineEvent::Status | TimelineEvent::Redriven));
            self.timeline.remove(drop.map_or(1, |index| index + 1));
        }
    }

    pub(super) fn earlier_of_expiry(&self, wake_at: Option<Timestamp>) -> Option<Timestamp> {
        match (wake_at, self.expires_at) {
            (Some(wake_at), Some(expires_at)) => Some(wake_at.min(expires_at)),
            (wake_at, expires_at) => wake_at.or(expires_at),
        }
    }
}
