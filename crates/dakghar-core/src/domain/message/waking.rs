//! Does what the timer of a message was set for (T10, T11, T12, T15, T16 and the release of its slot).

use std::time::Duration;

use super::super::hold::{HOLD_CHECK_MAX, HoldReason};
use super::super::listening::SIGN_EVERY;
use super::super::send_error::SendError;
use super::super::time::{Present, Timestamp};
use super::Message;
use super::delivery::DeadReason;
use super::policy::{Timings, UnknownOutcome};
use super::status::Status;
use super::timeline::{TimelineEntry, TimelineEvent};

/// The next step of the reconciler after looking at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Nothing was due; the timer was moved.
    Rescheduled,
    /// It must be put into the queue (under its new drive) for its slot.
    Release,
    /// It may be sent again and needs a slot.
    NeedsSlot,
    /// It was settled or moved on.
    Changed,
}

/// What it means that no status of a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing: webhooks were not received at some time since the call.
    Deaf,
    /// Nothing yet: it is not known whether webhooks were received.
    NotKnownYet,
    /// Nothing yet: no statuses of calls shortly before and after it have arrived.
    Unproven,
    /// Meta did not take it: webhooks were received all the time, and statuses of its neighbours have arrived.
    Telling,
}

impl Silence {
    /// The reason why a message in doubt waits, for its timeline.
    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Deaf => Some("webhooks_were_not_received"),
            Self::Unproven => Some("no_statuses_of_neighbouring_calls"),
            Self::NotKnownYet | Self::Telling => None,
        }
    }
}

/// The surroundings of a message, as the reconciler knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The reason its tenant or number is on hold now, if it is.
    pub hold: Option<HoldReason>,
    /// True if a held message may go out as the probe that tests a hold.
    pub may_probe: bool,
    /// What it means that no status of a message in doubt has come.
    pub silence: Silence,
    /// True if the process that holds the lease is known to be dead.
    pub is_orphaned: bool,
    /// For how long this process has watched the message under its present lease.
    pub watched: Duration,
}

impl Message {
    /// Does what its timer was set for (T10, T11, T12, T15, T16 and the release of its slot). A timer that is set anew
    /// is a change: whether its time is right shows by the time of the change, see [`Message::bring_back`].
    pub fn wake(
        &mut self,
        present: impl Into<Present>,
        around: Surroundings,
        window: Option<Duration>,
        timings: &Timings,
    ) -> Woken {
        let present = present.into();
        match self.delivery.status {
            Status::Queued => self.wake_queued(present, window),
            Status::Held => self.wake_held(present, around),
            Status::Sending => self.take_over(present, around, timings),
            Status::InDoubt => self.resolve_doubt(present, around, timings),
            _ => {
                self.delivery.wake_at = None;
                Woken::Changed
            }
        }
    }

    fn wake_queued(&mut self, present: Present, window: Option<Duration>) -> Woken {
        let now = present.now;
        if self.delivery.has_expired(present) {
            self.expire(now);
            return Woken::Changed;
        }
        let Some(slot_at) = self.delivery.slot_at else {
            return Woken::NeedsSlot;
        };
        if self.delivery.enqueued_at.is_some() {
            // Its job may be lost or stuck, and the queue would take a job of the same name for it.
            self.delivery.drive += 1;
        }
        self.delivery.updated_at = now;
        if self.schedule(present, slot_at, window) {
            Woken::Release
        } else {
            Woken::Rescheduled
        }
    }

    fn wake_held(&mut self, present: Present, around: Surroundings) -> Woken {
        let now = present.now;
        if self.delivery.has_expired(present) {
            self.expire(now);
            return Woken::Changed;
        }
        if let Some(reason) = around.hold.filter(|_| !around.may_probe) {
            self.delivery.hold_reason = Some(reason);
            self.delivery.updated_at = now;
            let check_at = Some(now + HOLD_CHECK_MAX);
            self.delivery.wake_at = self.delivery.earlier_of_expiry(present, check_at);
            return Woken::Rescheduled;
        }
        self.delivery.note(TimelineEntry::new(now, TimelineEvent::Resumed));
        self.delivery.status = Status::Queued;
        self.delivery.hold_reason = None;
        self.delivery.drive += 1;
        self.delivery.updated_at = now;
        Woken::NeedsSlot
    }

    /// T10. The worker's lease expired: whatever it did, its epoch is over. The time in the lease is another process's,
    /// whose clock may have been behind, so it only tells when to begin to watch.
    fn take_over(&mut self, present: Present, around: Surroundings, timings: &Timings) -> Woken {
        let now = present.now;
        let unwatched = timings.lease.saturating_sub(around.watched);
        if !unwatched.is_zero() && !around.is_orphaned {
            self.delivery.updated_at = now;
            self.delivery.wake_at = Some(now + unwatched);
            return Woken::Rescheduled;
        }
        self.delivery.epoch += 1;
        self.join_conversation();
        let error = SendError {
            message: "the worker stopped during the call".into(),
            ..SendError::default()
        };
        self.doubt(now, Some(error), timings.grace);
        Woken::Changed
    }

    /// Notes why it waits in doubt, unless that is the last thing that was noted.
    fn note_wait(&mut self, now: Timestamp, reason: &'static str, until: Timestamp) {
        let last = self.delivery.timeline.last();
        let is_noted =
            last.is_some_and(|entry| entry.event == TimelineEvent::Waiting && entry.detail.as_deref() == Some(reason));
        if !is_noted {
            let mut entry = TimelineEntry::new(now, TimelineEvent::Waiting).detail(reason);
            entry.until = Some(until);
            self.delivery.note(entry);
        }
    }

    /// T11 and T12. The grace is over and no evidence came.
    fn resolve_doubt(&mut self, present: Present, around: Surroundings, timings: &Timings) -> Woken {
        let now = present.now;
        if let Some(until) = self.delivery.grace_until.filter(|until| *until > now) {
            self.delivery.wake_at = Some(until);
            return Woken::Rescheduled;
        }
        let resend = match self.accepted.unknown_outcome {
            UnknownOutcome::Resend => true,
            UnknownOutcome::Fail => false,
            UnknownOutcome::Auto => around.silence == Silence::Telling,
        };
        let mut give_up_at = self.delivery.called_at.unwrap_or(now) + timings.doubt_max;
        if around.silence == Silence::NotKnownYet {
            // Nobody may have looked since the call. What the silence means is known soon after the grace.
            let known_at = self.delivery.grace_until.unwrap_or(now) + timings.grace;
            give_up_at = give_up_at.max(known_at);
        }
        let waits = !resend && self.accepted.unknown_outcome == UnknownOutcome::Auto;
        // Also where it is given up at once: who asks later why nobody knows its outcome finds it there.
        if let Some(reason) = around.silence.reason().filter(|_| waits) {
            self.note_wait(now, reason, give_up_at);
        }
        if waits && now < give_up_at {
            self.delivery.updated_at = now;
            let look_again = match around.silence {
                Silence::NotKnownYet => SIGN_EVERY.min(timings.grace),
                _ => timings.grace,
            };
            self.delivery.wake_at = Some(give_up_at.min(now + look_again));
            return Woken::Rescheduled;
        }
        self.delivery.epoch += 1;
        self.delivery.grace_until = None;
        let time_left = !self.delivery.has_expired(present);
        if !resend || !time_left || self.delivery.attempts_counted() >= self.accepted.attempts_max {
            self.die(now, DeadReason::OutcomeUnknown);
            return Woken::Changed;
        }
        self.delivery
            .note(TimelineEntry::new(now, TimelineEvent::Waiting).detail("resend_after_unknown_outcome"));
        self.delivery.status = Status::Queued;
        self.delivery.drive += 1;
        self.delivery.updated_at = now;
        Woken::NeedsSlot
    }
}
