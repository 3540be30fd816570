//! Our own steps with an outbound message before and between calls: slots, claims, holds and ends.
//!
//! The numbers T1 to T18 name the transitions of the protocol (ARCHITECTURE.md, "Delivery"). Each is a pure method that
//! refuses everything the protocol does not allow.

use std::sync::Arc;
use std::time::Duration;

use super::super::hold::{HOLD_CHECK, HoldReason, PAUSE_CHECK};
use super::super::ids::RedriveId;
use super::super::lease::Lease;
use super::super::pacing::{RELEASE_CHECK, RELEASE_LEAD, SLOT_TOLERANCE};
use super::super::send_error::SendError;
use super::super::time::{Present, Timestamp};
use super::Message;
use super::dead_letter::DeadLetter;
use super::delivery::DeadReason;
use super::policy::{STRIKES_MAX, Timings};
use super::status::Status;
use super::timeline::{TimelineEntry, TimelineEvent};

/// The reason a message cannot be claimed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotClaimable {
    /// Another process has it, or it is settled.
    NotQueued,
    /// Its slot has not come.
    TooEarly(Timestamp),
    /// It has expired, and must be settled with [`Message::expire`].
    Expired,
}

/// The reason a message cannot be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedrivable {
    /// It is not among the dead letters.
    NotDead,
    /// The time in which it may be sent is over, and the caller did not say that this does not matter any more.
    Expired,
    /// It may have been delivered, and the caller did not accept the risk of a second delivery.
    DuplicateRisk,
    /// Its content was removed, because its tenant keeps contents no longer.
    ContentRemoved,
}

/// What whoever sends a dead letter again takes upon themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedriveOptions {
    /// It may arrive twice.
    pub confirm_duplicate_risk: bool,
    /// It is sent although its date is over, and then has none any more. A date that is still ahead holds all the same.
    pub ignore_expiry: bool,
}

impl Message {
    /// Gives it a slot (T1, T4, T7, T12, T16). Returns true if it must be put into the queue now. `window` is how far
    /// ahead the queue takes messages; `None` if the queue reads the store itself.
    pub fn schedule(&mut self, present: impl Into<Present>, slot_at: Timestamp, window: Option<Duration>) -> bool {
        debug_assert_eq!(self.delivery.status, Status::Queued);
        let present = present.into();
        let now = present.now;
        self.delivery.slot_at = Some(slot_at);
        let (wake_at, enqueue) = match window {
            None => (None, true),
            Some(window) if slot_at <= now + window => (Some(slot_at.max(now) + RELEASE_CHECK), true),
            Some(_) => (Some(slot_at - RELEASE_LEAD), false),
        };
        self.delivery.wake_at = self.delivery.earlier_of_expiry(present, wake_at);
        self.delivery.enqueued_at = enqueue.then_some(now);
        enqueue
    }

    /// Moves it to a store with another queue. It is not in that queue yet, so its timer must put it there. Depends on
    /// nothing but the message, so that a copy can be repeated and compared.
    pub fn arrive_unqueued(&mut self) {
        if self.delivery.status != Status::Queued {
            return;
        }
        let slot_at = self.delivery.slot_at.unwrap_or(self.accepted.created_at);
        let present = Present::from(self.delivery.updated_at);
        self.delivery.wake_at = self.delivery.earlier_of_expiry(present, Some(slot_at - RELEASE_LEAD));
        self.delivery.enqueued_at = None;
    }

    /// T3. Authorises one call. It is durable before the first byte, so `sending` always means "a call may have
    /// happened".
    pub fn claim(
        &mut self,
        present: impl Into<Present>,
        owner: &Arc<str>,
        timings: &Timings,
    ) -> Result<(), NotClaimable> {
        let present = present.into();
        let now = present.now;
        if self.delivery.status != Status::Queued {
            return Err(NotClaimable::NotQueued);
        }
        if self.delivery.has_expired(present) {
            return Err(NotClaimable::Expired);
        }
        // The slot may be older than a step of the clock.
        if let Some(send_at) = self.send_at().filter(|at| !present.has_reached(*at - SLOT_TOLERANCE)) {
            return Err(NotClaimable::TooEarly(present.when(send_at)));
        }
        if let Some(slot_at) = self.delivery.slot_at.filter(|slot_at| *slot_at > now + SLOT_TOLERANCE) {
            return Err(NotClaimable::TooEarly(slot_at));
        }
        let lease = Lease::begin(owner, now, timings.lease);
        let until = lease.until;
        self.delivery.status = Status::Sending;
        self.delivery.epoch += 1;
        self.delivery.attempt += 1;
        self.delivery.lease = Some(lease);
        self.delivery.called_at = Some(now);
        self.delivery.wake_at = Some(until + timings.lease_margin);
        self.delivery.enqueued_at = None;
        self.delivery.updated_at = now;
        Ok(())
    }

    /// T4. Puts it off: the number's pace or the message's own slot says later.
    pub fn postpone(
        &mut self,
        present: impl Into<Present>,
        slot_at: Timestamp,
        why: &str,
        window: Option<Duration>,
    ) -> bool {
        debug_assert_eq!(self.delivery.status, Status::Queued);
        let present = present.into();
        let now = present.now;
        // One entry is enough to explain the wait; a long backlog must not fill the timeline.
        let waiting = TimelineEntry::new(now, TimelineEvent::Waiting)
            .detail(why)
            .until(slot_at);
        match self.delivery.timeline.last_mut() {
            Some(last) if last.event == TimelineEvent::Waiting && last.detail == waiting.detail => *last = waiting,
            _ => self.delivery.note(waiting),
        }
        self.delivery.updated_at = now;
        self.delivery.drive += 1;
        self.schedule(present, slot_at, window)
    }

    /// T16. Puts it on hold.
    pub fn hold(&mut self, present: impl Into<Present>, reason: HoldReason) {
        debug_assert_eq!(self.delivery.status, Status::Queued);
        let present = present.into();
        let now = present.now;
        self.delivery
            .note(TimelineEntry::new(now, TimelineEvent::Held).detail(reason.as_str()));
        self.delivery.status = Status::Held;
        self.delivery.hold_reason = Some(reason);
        // A requested time to send outlasts the hold; a slot that has passed is worth nothing after it.
        self.delivery.slot_at = self.delivery.slot_at.filter(|slot_at| *slot_at > now);
        self.delivery.enqueued_at = None;
        // A pause may have ended while this process still remembered it, and must not keep the message. Other reasons
        // take longer to go away.
        let rest = if reason.is_pause() { PAUSE_CHECK } else { HOLD_CHECK };
        let check_at = Some(now + rest);
        self.delivery.wake_at = self.delivery.earlier_of_expiry(present, check_at);
        self.delivery.updated_at = now;
    }

    /// T9. Bytes were written and no verdict came back.
    pub(super) fn doubt(&mut self, now: Timestamp, error: Option<SendError>, grace: Duration) {
        self.delivery.note(
            TimelineEntry::new(now, TimelineEvent::InDoubt)
                .attempt(self.delivery.attempt)
                .until(now + grace)
                .error(error.clone()),
        );
        self.delivery.status = Status::InDoubt;
        self.delivery.error = error;
        self.delivery.lease = None;
        self.delivery.maybe_sent = true;
        self.delivery.grace_until = Some(now + grace);
        self.delivery.wake_at = self.delivery.grace_until;
        self.delivery.updated_at = now;
    }

    /// T14. Only before any call could have delivered it.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        if !matches!(self.delivery.status, Status::Queued | Status::Held) || self.delivery.maybe_sent {
            return false;
        }
        self.delivery.note(TimelineEntry::new(now, TimelineEvent::Cancelled));
        self.delivery.status = Status::Cancelled;
        self.delivery.updated_at = now;
        self.delivery.leave_the_send_path();
        true
    }

    /// T15. It expired before a (further) call.
    pub fn expire(&mut self, now: Timestamp) {
        if self.delivery.maybe_sent {
            self.die(now, DeadReason::OutcomeUnknown);
            return;
        }
        self.delivery.note(TimelineEntry::new(now, TimelineEvent::Expired));
        self.delivery.status = Status::Expired;
        self.delivery.updated_at = now;
        self.delivery.leave_the_send_path();
    }

    /// T17. Counts a crash while it was being prepared. Returns true if it was given up.
    pub fn strike(&mut self, now: Timestamp) -> bool {
        self.delivery.strikes += 1;
        self.delivery.updated_at = now;
        if self.delivery.strikes < STRIKES_MAX || !matches!(self.delivery.status, Status::Queued | Status::Held) {
            return false;
        }
        self.die(now, self.unless_maybe_sent(DeadReason::Poison));
        true
    }

    /// Gives up a message that can never be sent, because something it depends on is gone.
    pub fn abandon(&mut self, now: Timestamp, reason: DeadReason) {
        if matches!(self.delivery.status, Status::Queued | Status::Held) {
            self.die(now, self.unless_maybe_sent(reason));
        }
    }

    /// T18. Sends it again from the dead letters, with a fresh count of attempts. The caller gives it a slot.
    pub fn redrive(&mut self, present: impl Into<Present>, options: RedriveOptions) -> Result<(), NotRedrivable> {
        let present = present.into();
        let entry = TimelineEntry::new(present.now, TimelineEvent::Redriven);
        self.redrive_with(entry, present, options)
    }

    /// The same as part of a redrive by filter, which the timeline names.
    pub fn redrive_by(
        &mut self,
        redrive: &RedriveId,
        present: impl Into<Present>,
        options: RedriveOptions,
    ) -> Result<(), NotRedrivable> {
        let present = present.into();
        let entry = TimelineEntry::new(present.now, TimelineEvent::Redriven).detail(&redrive.to_string());
        self.redrive_with(entry, present, options)
    }

    /// True if this redrive sent it again.
    pub fn was_redriven_by(&self, redrive: &RedriveId) -> bool {
        let name = redrive.to_string();
        let mut redriven = self.delivery.timeline.iter().rev();
        redriven.any(|entry| entry.event == TimelineEvent::Redriven && entry.detail.as_deref() == Some(&*name))
    }

    /// Returns how often it was sent again.
    pub fn times_redriven(&self) -> usize {
        let timeline = self.delivery.timeline.iter();
        timeline.filter(|entry| entry.event == TimelineEvent::Redriven).count()
    }

    fn redrive_with(
        &mut self,
        entry: TimelineEntry,
        present: Present,
        options: RedriveOptions,
    ) -> Result<(), NotRedrivable> {
        let letter = DeadLetter::of(self).ok_or(NotRedrivable::NotDead)?;
        if self.accepted.content.removed_at.is_some() {
            return Err(NotRedrivable::ContentRemoved);
        }
        let has_expired = letter.has_expired(present);
        if has_expired && !options.ignore_expiry {
            return Err(NotRedrivable::Expired);
        }
        if letter.may_have_arrived() && !options.confirm_duplicate_risk {
            return Err(NotRedrivable::DuplicateRisk);
        }
        self.delivery.note(entry.attempt(self.delivery.attempt));
        self.delivery.status = Status::Queued;
        self.delivery.epoch += 1;
        self.delivery.drive += 1;
        self.delivery.attempts_refunded = self.delivery.attempt;
        self.delivery.strikes = 0;
        self.delivery.dead_reason = None;
        self.delivery.error = None;
        if has_expired {
            self.delivery.expires_at = None;
        }
        self.delivery.updated_at = present.now;
        Ok(())
    }

    pub(super) fn die(&mut self, now: Timestamp, reason: DeadReason) {
        self.delivery
            .note(TimelineEntry::new(now, TimelineEvent::Dead).detail(reason.as_str()));
        self.delivery.status = Status::Dead;
        self.delivery.dead_reason = Some(reason);
        // A job that shows its end in the queue needs a name of its own.
        self.delivery.drive += 1;
        self.delivery.updated_at = now;
        self.delivery.leave_the_send_path();
    }

    pub(super) const fn unless_maybe_sent(&self, reason: DeadReason) -> DeadReason {
        if self.delivery.maybe_sent {
            DeadReason::OutcomeUnknown
        } else {
            reason
        }
    }
}
