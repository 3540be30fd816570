//! The part of a message that delivery changes. Every save writes all of it.

use super::super::hold::HoldReason;
use super::super::ids::{ConversationId, Wamid};
use super::super::lease::Lease;
use super::super::send_error::SendError;
use super::super::time::{Present, Timestamp};
use super::receipt::Receipt;
use super::status::Status;
use super::timeline::{SLOW_DOWN, TimelineEntry, TimelineEvent};

/// Entries that a timeline keeps. Past that, the oldest after the first are dropped.
pub const TIMELINE_ENTRIES_MAX: usize = 64;

/// The reason a message was given up without a verdict from Meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// Every attempt was refused in a way that allowed another.
    AttemptsExhausted,
    /// A call may have delivered it, and the outcome cannot be known.
    OutcomeUnknown,
    /// Preparing it crashed the worker again and again.
    Poison,
    /// Its number does not belong to the tenant any more.
    NumberRemoved,
    /// The person opted out of such messages before it was sent.
    OptedOut,
    /// The customer service window that it asked for was closed before it was sent.
    WindowClosed,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::AttemptsExhausted,
        Self::OutcomeUnknown,
        Self::Poison,
        Self::NumberRemoved,
        Self::OptedOut,
        Self::WindowClosed,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Poison => "poison",
            Self::NumberRemoved => "number_removed",
            Self::OptedOut => "opted_out",
            Self::WindowClosed => "window_closed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// How a message stands that Meta reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedStatus {
    /// A person wrote it.
    Received,
    /// The business wrote it, and this became of it; never a failure, which nobody could send again.
    Sent(SentStatus),
}

/// What became of a message that the business sent elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentStatus {
    /// It was sent.
    Sent,
    /// It is on the device.
    Delivered,
    /// It was shown to the person.
    Read,
}

impl SentStatus {
    const fn status(self) -> Status {
        match self {
            Self::Sent => Status::Sent,
            Self::Delivered => Status::Delivered,
            Self::Read => Status::Read,
        }
    }
}

/// The state of a message and its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// No call starts after this. Removed when the message is sent again on purpose.
    pub expires_at: Option<Timestamp>,
    /// Its status.
    pub status: Status,
    /// Fencing token: raised by every claim, takeover, resolution and redrive; never lowered.
    pub epoch: u64,
    /// Calls to Meta authorised so far. We send the number of the latest to Meta.
    pub attempt: u32,
    /// Calls that do not count against `attempts_max`, because Meta only asked us to slow down or to fix the
    /// token, or because no byte of them left.
    pub attempts_refunded: u32,
    /// Poison detector: crashes and panics before a claim.
    pub strikes: u32,
    /// The lease of the process that may be calling Meta for it now.
    pub lease: Option<Lease>,
    /// The time the latest call was authorised.
    pub called_at: Option<Timestamp>,
    /// True once a call had an unknown outcome. Never reset.
    pub maybe_sent: bool,
    /// The end of the wait for evidence of an unknown outcome.
    pub grace_until: Option<Timestamp>,
    /// The time from which it may be sent.
    pub slot_at: Option<Timestamp>,
    /// The number of times it was put into the queue again; part of the queue's job id.
    pub drive: u32,
    /// The only timer: the time the reconciler must look at it. `None` if nothing remains to be done.
    pub wake_at: Option<Timestamp>,
    /// The time it was last put into the queue under its present drive.
    pub enqueued_at: Option<Timestamp>,
    /// The reason it was given up, if it was.
    pub dead_reason: Option<DeadReason>,
    /// The reason it is held, if it is.
    pub hold_reason: Option<HoldReason>,
    /// Meta's id, of the message sent or received.
    pub wamid: Option<Wamid>,
    /// Every wamid that Meta ever gave this message.
    pub wamids: Vec<Wamid>,
    /// What Meta's answer said beyond its id, when it took the message.
    pub receipt: Option<Receipt>,
    /// The latest refusal or failure.
    pub error: Option<SendError>,
    /// The time the first status webhook about it arrived: proof that the number's statuses flow.
    pub status_seen_at: Option<Timestamp>,
    /// The conversation it belongs to. Set when the first call's outcome is known, or when it is received.
    pub conversation_id: Option<ConversationId>,
    /// Its history, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

impl Delivery {
    /// Makes the delivery of a message that was just accepted: queued, without a slot or a timer.
    pub const fn queued(now: Timestamp) -> Self {
        Self::new(Status::Queued, now)
    }

    /// Makes the delivery of a message from a person.
    pub const fn received(now: Timestamp) -> Self {
        Self::new(Status::Received, now)
    }

    /// Makes the delivery of a message that Meta reports, as it stands there. Nothing remains to be done for it.
    pub fn reported(status: ReportedStatus, wamid: Wamid, now: Timestamp) -> Self {
        let (status, wamids) = match status {
            ReportedStatus::Received => (Status::Received, Vec::new()),
            ReportedStatus::Sent(status) => (status.status(), vec![wamid.clone()]),
        };
        Self {
            wamid: Some(wamid),
            wamids,
            ..Self::new(status, now)
        }
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
            receipt: None,
            error: None,
            status_seen_at: None,
            conversation_id: None,
            timeline: Vec::new(),
            updated_at: now,
            version: 0,
        }
    }

    /// Returns the number of calls that count against the message's `attempts_max`.
    pub const fn attempts_counted(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_refunded)
    }

    /// Clears the fields that only matter while it is being sent. The error of a failure stays.
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

    /// Adds an entry, and keeps the timeline short. The first entry, every status and redrive, the first slow-down and
    /// the newest entries stay.
    pub(super) fn note(&mut self, entry: TimelineEntry) {
        self.timeline.push(entry);
        if self.timeline.len() > TIMELINE_ENTRIES_MAX {
            let first_slow_down = self.first_slow_down();
            let may_go = |(place, entry): &(usize, &TimelineEntry)| {
                !matches!(entry.event, TimelineEvent::Status | TimelineEvent::Redriven)
                    && Some(*place) != first_slow_down
            };
            let drop = self.timeline.iter().enumerate().skip(1).find(may_go);
            let drop = drop.map_or(1, |(place, _)| place);
            self.timeline.remove(drop);
        }
    }

    /// Returns the place in the timeline at which Meta first asked to slow down since the last redrive.
    pub(super) fn first_slow_down(&self) -> Option<usize> {
        let is_redriven = |entry: &TimelineEntry| entry.event == TimelineEvent::Redriven;
        let since = self.timeline.iter().rposition(is_redriven).unwrap_or(0);
        let later = self.timeline.iter().enumerate().skip(since);
        let mut waits = later.filter(|(_, entry)| entry.is_wait_for(SLOW_DOWN));
        waits.next().map(|(place, _)| place)
    }

    /// True if no call may start any more. The expiry is a date that the client named.
    pub fn has_expired(&self, present: Present) -> bool {
        self.expires_at.is_some_and(|at| present.has_reached(at))
    }

    pub(super) fn earlier_of_expiry(&self, present: Present, wake_at: Option<Timestamp>) -> Option<Timestamp> {
        match (wake_at, self.expires_at.map(|at| present.when(at))) {
            (Some(wake_at), Some(expires_at)) => Some(wake_at.min(expires_at)),
            (wake_at, expires_at) => wake_at.or(expires_at),
        }
    }
}
