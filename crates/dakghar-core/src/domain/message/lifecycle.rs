//! What we do with an outbound message: every legal change, as a pure method that refuses anything else.
//!
//! The numbers T1 to T18 name the transitions of the protocol (ARCHITECTURE.md, "Delivery"). Whoever changes a
//! message loads it, calls one of these, and saves it under the version it loaded; if somebody saved in between, it
//! starts again. Evidence from Meta is merged in [`super::evidence`].

use std::sync::Arc;
use std::time::Duration;

use super::super::graph_error::{self, GraphRefusal, RefusalClass};
use super::super::ids::Wamid;
use super::super::tenant::HoldReason;
use super::super::time::Timestamp;
use super::evidence::{Evidence, EvidenceStatus};
use super::timeline::{SendError, TimelineEntry, TimelineEvent};
use super::{Lease, Message, Status, TIMELINE_ENTRIES_MAX, UnknownOutcome};

/// The times of the protocol that an installation may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// The longest a call to Meta may take, connection included.
    pub call_timeout: Duration,
    /// How long a claim lasts. Must exceed [`Timings::call_timeout`] by more than [`Timings::lease_margin`], so that a
    /// live worker never loses it.
    pub lease: Duration,
    /// How long after the end of a lease it is taken over, and how much of it a call must leave unused.
    pub lease_margin: Duration,
    /// How long evidence is awaited after a call whose outcome is unknown.
    pub grace: Duration,
    /// As [`Timings::grace`], when Meta answered with an error of its own that does not say whether it took the
    /// message.
    pub grace_service_error: Duration,
    /// Under [`UnknownOutcome::Auto`]: how long after the call a message without evidence is given up.
    pub doubt_max: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(45),
            lease_margin: Duration::from_secs(5),
            grace: Duration::from_secs(120),
            grace_service_error: Duration::from_secs(60),
            doubt_max: Duration::from_secs(15 * 60),
        }
    }
}

/// How long after its slot a released message is looked at again, in case its job was lost.
pub const RELEASE_CHECK: Duration = Duration::from_secs(60);
/// How long before its slot a message is put into the queue.
pub const RELEASE_LEAD: Duration = Duration::from_secs(30);
/// A claim may be this early: clocks and timers are not exact.
pub const SLOT_TOLERANCE: Duration = Duration::from_millis(2);
/// Panics while preparing a message before it is given up as poison.
pub const STRIKES_MAX: u32 = 5;
/// Requests to slow down in a row before a message is given up; these do not count as attempts.
pub const PACED_REFUSALS_MAX: u32 = 20;
/// How long a message held by a pause rests before the pause is looked at again: longer than any process remembers a
/// tenant.
pub const PAUSE_CHECK: Duration = Duration::from_secs(5);
/// How long a message held for another reason rests before its hold is first looked at again.
pub const HOLD_CHECK: Duration = Duration::from_secs(60);
/// How long a held message rests after that.
pub const HOLD_CHECK_MAX: Duration = Duration::from_secs(600);

/// How long to wait between attempts: exponential, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The upper bound of the first wait.
    pub base: Duration,
    /// The upper bound of any wait.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// The wait after the `attempt`-th attempt (from 1): `jitter` (0 to 1) of the exponential bound, but never less
    /// than what Meta asked for.
    pub fn wait(&self, attempt: u32, jitter: f64, at_least: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(32);
        let bound = self
            .base
            .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(self.cap);
        let drawn = bound.mul_f64(jitter.clamp(0.0, 1.0));
        drawn.max(at_least.unwrap_or_default())
    }
}

/// How an installation sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendPolicy {
    /// The waits between attempts.
    pub retry: RetryPolicy,
    /// The times of the protocol.
    pub timings: Timings,
}

/// How a call to Meta ended, as far as this side can tell.
#[derive(Clone, Debug, PartialEq)]
pub enum SendOutcome {
    /// Meta took it and gave it a wamid.
    Accepted {
        /// Meta's id.
        wamid: Wamid,
    },
    /// Meta answered with an error of its own.
    Refused(GraphRefusal),
    /// No byte of the request left: Meta cannot have it.
    NotSent {
        /// Why, for the timeline.
        why: Arc<str>,
    },
    /// The request left, or may have, and no verdict came back.
    Unknown {
        /// Why, for the timeline.
        why: Arc<str>,
    },
}

/// What recording an outcome did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Meta has it.
    Sent,
    /// Refused for good.
    Failed,
    /// Another attempt follows at this time.
    Retry(Timestamp),
    /// Another attempt follows at this time, and the whole number should slow down until then.
    SlowDown(Timestamp),
    /// Sending is stopped for the number.
    Held(HoldReason),
    /// Nobody knows; evidence is awaited.
    InDoubt,
    /// No attempt or no time is left.
    GaveUp,
}

/// The message is no longer this worker's: it was taken over, or settled by a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is no longer held under this epoch")]
pub struct Fenced;

/// Why a message cannot be claimed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotClaimable {
    /// Somebody else has it, or it is settled.
    NotQueued,
    /// Its slot has not come.
    TooEarly(Timestamp),
    /// Its time ran out; it must be settled with [`Message::expire`].
    Expired,
}

/// What the reconciler should do after looking at a message.
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

/// What the reconciler knows about the surroundings of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Why its tenant or number is on hold now.
    pub hold: Option<HoldReason>,
    /// Whether a held message may go out as the probe that tests a hold.
    pub may_probe: bool,
    /// Statuses of later sends of the same number have arrived.
    pub statuses_flow: bool,
    /// The process that holds the lease is known to be gone.
    pub is_orphaned: bool,
}

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

/// Why a message cannot be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedrivable {
    /// It is not among the dead letters.
    NotDead,
    /// It may have been delivered, and the caller did not accept the risk of a second one.
    DuplicateRisk,
}

impl Message {
    /// Gives it a slot (T1, T4, T7, T12, T16). Answers whether it belongs into the queue now; `window` is how far
    /// ahead the queue takes messages, `None` when it sees the store itself.
    pub fn schedule(&mut self, now: Timestamp, slot_at: Timestamp, window: Option<Duration>) -> bool {
        debug_assert_eq!(self.status, Status::Queued);
        self.slot_at = Some(slot_at);
        let (wake_at, enqueue) = match window {
            None => (self.expires_at, true),
            Some(window) if slot_at <= now + window => (Some(slot_at.max(now) + RELEASE_CHECK), true),
            Some(_) => (Some(slot_at - RELEASE_LEAD), false),
        };
        self.wake_at = self.earlier_of_expiry(wake_at);
        self.enqueued_at = enqueue.then_some(now);
        enqueue
    }

    /// Moves it to a store whose queue is elsewhere. Nobody has put it into that queue yet, so its timer must. Depends
    /// on nothing but the message, so that a copy can be repeated and compared.
    pub fn arrive_unqueued(&mut self) {
        if self.status != Status::Queued {
            return;
        }
        let slot_at = self.slot_at.unwrap_or(self.created_at);
        self.wake_at = self.earlier_of_expiry(Some(slot_at - RELEASE_LEAD));
        self.enqueued_at = None;
    }

    /// T3. Authorises one call: durable before the first byte, so `sending` always means "a call may have happened".
    pub fn claim(&mut self, now: Timestamp, owner: &Arc<str>, timings: &Timings) -> Result<(), NotClaimable> {
        if self.status != Status::Queued {
            return Err(NotClaimable::NotQueued);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(NotClaimable::Expired);
        }
        if let Some(slot_at) = self.slot_at.filter(|slot_at| *slot_at > now + SLOT_TOLERANCE) {
            return Err(NotClaimable::TooEarly(slot_at));
        }
        let until = now + timings.lease;
        self.status = Status::Sending;
        self.epoch += 1;
        self.attempt += 1;
        self.lease = Some(Lease {
            owner: owner.clone(),
            until,
        });
        self.called_at = Some(now);
        self.wake_at = Some(until + timings.lease_margin);
        self.enqueued_at = None;
        self.updated_at = now;
        Ok(())
    }

    /// T4. Not yet: the number's pace or the message's own slot says later.
    pub fn postpone(&mut self, now: Timestamp, slot_at: Timestamp, why: &str, window: Option<Duration>) -> bool {
        debug_assert_eq!(self.status, Status::Queued);
        // One entry is enough to tell why it waits; a long backlog must not fill the timeline.
        let waiting = TimelineEntry::new(now, TimelineEvent::Waiting)
            .detail(why)
            .until(slot_at);
        match self.timeline.last_mut() {
            Some(last) if last.event == TimelineEvent::Waiting && last.detail == waiting.detail => *last = waiting,
            _ => self.note(waiting),
        }
        self.updated_at = now;
        self.drive += 1;
        self.schedule(now, slot_at, window)
    }

    /// T5 to T9, and the holds of T16 that an answer causes. Only the holder of the epoch may record an outcome.
    pub fn record_outcome(
        &mut self,
        epoch: u64,
        now: Timestamp,
        outcome: &SendOutcome,
        policy: &SendPolicy,
        jitter: f64,
    ) -> Result<Recorded, Fenced> {
        if self.status != Status::Sending || self.epoch != epoch {
            return Err(Fenced);
        }
        self.lease = None;
        self.updated_at = now;
        self.join_thread();
        Ok(match outcome {
            SendOutcome::Accepted { wamid } => {
                self.remember_wamid(wamid, true);
                self.note_attempt(now, "sent", None);
                self.status = Status::Sent;
                self.error = None;
                self.leave_the_send_path();
                if wamid.is_mock() {
                    self.report_simulated(now, wamid);
                }
                Recorded::Sent
            }
            SendOutcome::Refused(refusal) => self.record_refusal(now, refusal, policy, jitter),
            SendOutcome::NotSent { why } => {
                let error = SendError {
                    message: why.clone(),
                    ..SendError::default()
                };
                self.note_attempt(now, "not_sent", Some(error));
                let wait = policy.retry.wait(self.attempts_counted(), jitter, None);
                self.retry_or_give_up(now, now + wait).unwrap_or(Recorded::GaveUp)
            }
            SendOutcome::Unknown { why } => {
                let error = SendError {
                    message: why.clone(),
                    ..SendError::default()
                };
                self.doubt(now, Some(error), policy.timings.grace);
                Recorded::InDoubt
            }
        })
    }

    /// Nobody reports on a simulated message: it gets at once the statuses that Meta would send.
    fn report_simulated(&mut self, now: Timestamp, wamid: &Wamid) {
        for status in [EvidenceStatus::Sent, EvidenceStatus::Delivered] {
            let evidence = Evidence {
                status,
                wamid: wamid.clone(),
                attempt: Some(self.attempt),
                reported_at: Some(now),
                error: None,
                by_webhook: true,
            };
            self.merge_evidence(now, &evidence);
        }
    }

    fn record_refusal(&mut self, now: Timestamp, refusal: &GraphRefusal, policy: &SendPolicy, jitter: f64) -> Recorded {
        let error = refusal.to_send_error();
        let class = graph_error::classify(refusal).class;
        if class == RefusalClass::Service {
            self.doubt(now, Some(error), policy.timings.grace_service_error);
            return Recorded::InDoubt;
        }
        self.note_attempt(now, "refused", Some(error));
        match class {
            RefusalClass::Service => unreachable!("handled above"),
            RefusalClass::Retry { after } => {
                let at_least = after.max(refusal.retry_after);
                let wait = policy.retry.wait(self.attempts_counted(), jitter, at_least);
                self.retry_or_give_up(now, now + wait).unwrap_or(Recorded::GaveUp)
            }
            RefusalClass::PaceNumber | RefusalClass::PaceApp => {
                let wait = policy
                    .retry
                    .wait(self.refunded_since_redrive() + 1, jitter.max(0.5), refusal.retry_after);
                self.wait_without_counting(now, now + wait)
                    .map_or(Recorded::GaveUp, Recorded::SlowDown)
            }
            RefusalClass::PacePair => {
                // Meta asks for 4^X seconds; its pair limit is one message in six.
                let wait = Duration::from_secs(6 * 4u64.pow(self.refunded_since_redrive().min(4)));
                let wait = wait
                    .max(refusal.retry_after.unwrap_or_default())
                    .mul_f64(1.0 + jitter * 0.2);
                self.wait_without_counting(now, now + wait)
                    .map_or(Recorded::GaveUp, Recorded::Retry)
            }
            RefusalClass::Token => self.hold_after_refusal(now, HoldReason::CredentialsInvalid),
            RefusalClass::Account => self.hold_after_refusal(now, HoldReason::AccountRestricted),
            RefusalClass::Fail => {
                self.status = Status::Failed;
                self.leave_the_send_path();
                Recorded::Failed
            }
        }
    }

    /// T7, or T8 when no attempt or no time is left. The caller gives it a slot at the returned time.
    fn retry_or_give_up(&mut self, now: Timestamp, at: Timestamp) -> Option<Recorded> {
        if self.attempts_counted() >= self.attempts_max {
            self.die(now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return None;
        }
        self.requeue_at(now, at).map(Recorded::Retry)
    }

    fn wait_without_counting(&mut self, now: Timestamp, at: Timestamp) -> Option<Timestamp> {
        self.attempts_refunded += 1;
        if self.refunded_since_redrive() > PACED_REFUSALS_MAX {
            self.die(now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return None;
        }
        self.requeue_at(now, at)
    }

    fn requeue_at(&mut self, now: Timestamp, at: Timestamp) -> Option<Timestamp> {
        self.status = Status::Queued;
        self.drive += 1;
        if self.expires_at.is_some_and(|expires_at| expires_at <= at) {
            self.expire(now);
            return None;
        }
        self.slot_at = Some(at);
        self.note(
            TimelineEntry::new(now, TimelineEvent::Waiting)
                .detail("retry")
                .until(at),
        );
        Some(at)
    }

    fn hold_after_refusal(&mut self, now: Timestamp, reason: HoldReason) -> Recorded {
        self.attempts_refunded += 1;
        self.status = Status::Queued;
        self.hold(now, reason);
        Recorded::Held(reason)
    }

    /// T9: bytes were written and no verdict came back.
    fn doubt(&mut self, now: Timestamp, error: Option<SendError>, grace: Duration) {
        self.note(
            TimelineEntry::new(now, TimelineEvent::InDoubt)
                .attempt(self.attempt)
                .until(now + grace)
                .error(error.clone()),
        );
        self.status = Status::InDoubt;
        self.error = error;
        self.lease = None;
        self.maybe_sent = true;
        self.grace_until = Some(now + grace);
        self.wake_at = self.grace_until;
        self.updated_at = now;
    }

    /// T16, into the hold.
    pub fn hold(&mut self, now: Timestamp, reason: HoldReason) {
        debug_assert_eq!(self.status, Status::Queued);
        self.note(TimelineEntry::new(now, TimelineEvent::Held).detail(reason.as_str()));
        self.status = Status::Held;
        self.hold_reason = Some(reason);
        // A time to send outlasts the hold; a slot that has come is worth nothing after it.
        self.slot_at = self.slot_at.filter(|slot_at| *slot_at > now);
        self.enqueued_at = None;
        // A pause that ended while this process still remembered it must not keep the message; other reasons need
        // longer to go away.
        let rest = if reason.is_pause() { PAUSE_CHECK } else { HOLD_CHECK };
        let check_at = Some(now + rest);
        self.wake_at = self.earlier_of_expiry(check_at);
        self.updated_at = now;
    }

    /// T14. Only before any call could have delivered it.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        if !matches!(self.status, Status::Queued | Status::Held) || self.maybe_sent {
            return false;
        }
        self.note(TimelineEntry::new(now, TimelineEvent::Cancelled));
        self.status = Status::Cancelled;
        self.updated_at = now;
        self.leave_the_send_path();
        true
    }

    /// T15. Its time ran out before a (further) call.
    pub fn expire(&mut self, now: Timestamp) {
        if self.maybe_sent {
            self.die(now, DeadReason::OutcomeUnknown);
            return;
        }
        self.note(TimelineEntry::new(now, TimelineEvent::Expired));
        self.status = Status::Expired;
        self.updated_at = now;
        self.leave_the_send_path();
    }

    /// T17, counted: preparing it crashed. Answers whether it was given up.
    pub fn strike(&mut self, now: Timestamp) -> bool {
        self.strikes += 1;
        self.updated_at = now;
        if self.strikes < STRIKES_MAX || !matches!(self.status, Status::Queued | Status::Held) {
            return false;
        }
        self.die(now, self.unless_maybe_sent(DeadReason::Poison));
        true
    }

    /// It can never be sent: what it depends on is gone.
    pub fn abandon(&mut self, now: Timestamp, reason: DeadReason) {
        if matches!(self.status, Status::Queued | Status::Held) {
            self.die(now, self.unless_maybe_sent(reason));
        }
    }

    /// T18. Sends it again from the dead letters, with a fresh count of attempts and without its old expiry. The
    /// caller gives it a slot.
    pub fn redrive(&mut self, now: Timestamp, accept_duplicate_risk: bool) -> Result<(), NotRedrivable> {
        if !self.status.is_dead_letter() {
            return Err(NotRedrivable::NotDead);
        }
        if self.may_have_arrived() && !accept_duplicate_risk {
            return Err(NotRedrivable::DuplicateRisk);
        }
        self.note(TimelineEntry::new(now, TimelineEvent::Redriven).attempt(self.attempt));
        self.status = Status::Queued;
        self.epoch += 1;
        self.drive += 1;
        self.attempts_refunded = self.attempt;
        self.strikes = 0;
        self.dead_reason = None;
        self.error = None;
        self.expires_at = None;
        self.updated_at = now;
        Ok(())
    }

    /// Whether a call may have delivered it. That Meta reports a failure says so of that call only, not of one before.
    fn may_have_arrived(&self) -> bool {
        self.dead_reason == Some(DeadReason::OutcomeUnknown)
            || (self.maybe_sent && !(self.status == Status::Failed && self.attempt == 1))
    }

    /// Attempts since it was sent again last that do not count, because Meta asked to slow down or refused the token.
    fn refunded_since_redrive(&self) -> u32 {
        let redriven = self
            .timeline
            .iter()
            .rev()
            .find(|entry| entry.event == TimelineEvent::Redriven);
        self.attempts_refunded
            .saturating_sub(redriven.and_then(|entry| entry.attempt).unwrap_or(0))
    }

    /// What its timer was set for (T10, T11, T12, T15, T16 and the release of its slot).
    pub fn wake(&mut self, now: Timestamp, around: Surroundings, window: Option<Duration>, timings: &Timings) -> Woken {
        match self.status {
            Status::Queued => self.wake_queued(now, window),
            Status::Held => self.wake_held(now, around),
            Status::Sending => self.take_over(now, around, timings),
            Status::InDoubt => self.resolve_doubt(now, around, timings),
            _ => {
                self.wake_at = None;
                Woken::Changed
            }
        }
    }

    fn wake_queued(&mut self, now: Timestamp, window: Option<Duration>) -> Woken {
        if self.expires_at.is_some_and(|at| at <= now) {
            self.expire(now);
            return Woken::Changed;
        }
        let Some(slot_at) = self.slot_at else {
            return Woken::NeedsSlot;
        };
        if self.enqueued_at.is_some() {
            // Its job may be lost or stuck; a job of the old name would be taken for the same one.
            self.drive += 1;
        }
        self.updated_at = now;
        if self.schedule(now, slot_at, window) {
            Woken::Release
        } else {
            Woken::Rescheduled
        }
    }

    fn wake_held(&mut self, now: Timestamp, around: Surroundings) -> Woken {
        if self.expires_at.is_some_and(|at| at <= now) {
            self.expire(now);
            return Woken::Changed;
        }
        if let Some(reason) = around.hold.filter(|_| !around.may_probe) {
            self.hold_reason = Some(reason);
            let check_at = Some(now + HOLD_CHECK_MAX);
            self.wake_at = self.earlier_of_expiry(check_at);
            return Woken::Rescheduled;
        }
        self.note(TimelineEntry::new(now, TimelineEvent::Resumed));
        self.status = Status::Queued;
        self.hold_reason = None;
        self.drive += 1;
        self.updated_at = now;
        Woken::NeedsSlot
    }

    /// T10. The worker's lease ran out: whatever it did, its epoch is over.
    fn take_over(&mut self, now: Timestamp, around: Surroundings, timings: &Timings) -> Woken {
        let until = self.lease.as_ref().map_or(now, |lease| lease.until);
        if now < until + timings.lease_margin && !around.is_orphaned {
            self.wake_at = Some(until + timings.lease_margin);
            return Woken::Rescheduled;
        }
        self.epoch += 1;
        self.join_thread();
        let error = SendError {
            message: "the worker stopped during the call".into(),
            ..SendError::default()
        };
        self.doubt(now, Some(error), timings.grace);
        Woken::Changed
    }

    /// T11 and T12. The grace is over and no evidence came.
    fn resolve_doubt(&mut self, now: Timestamp, around: Surroundings, timings: &Timings) -> Woken {
        if let Some(until) = self.grace_until.filter(|until| *until > now) {
            self.wake_at = Some(until);
            return Woken::Rescheduled;
        }
        let resend = match self.unknown_outcome {
            UnknownOutcome::Resend => true,
            UnknownOutcome::Fail => false,
            UnknownOutcome::Auto => around.statuses_flow,
        };
        let give_up_at = self.called_at.unwrap_or(now) + timings.doubt_max;
        if !resend && self.unknown_outcome == UnknownOutcome::Auto && now < give_up_at {
            self.wake_at = Some(give_up_at.min(now + timings.grace));
            return Woken::Rescheduled;
        }
        self.epoch += 1;
        self.grace_until = None;
        let time_left = self.expires_at.is_none_or(|at| at > now);
        if !resend || !time_left || self.attempts_counted() >= self.attempts_max {
            self.die(now, DeadReason::OutcomeUnknown);
            return Woken::Changed;
        }
        self.note(TimelineEntry::new(now, TimelineEvent::Waiting).detail("resend_after_unknown_outcome"));
        self.status = Status::Queued;
        self.drive += 1;
        self.updated_at = now;
        Woken::NeedsSlot
    }

    fn die(&mut self, now: Timestamp, reason: DeadReason) {
        self.note(TimelineEntry::new(now, TimelineEvent::Dead).detail(reason.as_str()));
        self.status = Status::Dead;
        self.dead_reason = Some(reason);
        // A job that is to show its end in the queue needs a name of its own.
        self.drive += 1;
        self.updated_at = now;
        self.leave_the_send_path();
    }

    const fn unless_maybe_sent(&self, reason: DeadReason) -> DeadReason {
        if self.maybe_sent {
            DeadReason::OutcomeUnknown
        } else {
            reason
        }
    }

    /// Whoever learns something about a call puts the message into its thread; the thread itself is touched before the
    /// call.
    pub(super) fn join_thread(&mut self) {
        if self.conversation_id.is_none() {
            self.conversation_id = self.thread();
        }
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

    fn note_attempt(&mut self, now: Timestamp, outcome: &str, error: Option<SendError>) {
        self.error.clone_from(&error);
        self.note(
            TimelineEntry::new(now, TimelineEvent::Attempt)
                .attempt(self.attempt)
                .detail(outcome)
                .error(error),
        );
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

    fn earlier_of_expiry(&self, wake_at: Option<Timestamp>) -> Option<Timestamp> {
        match (wake_at, self.expires_at) {
            (Some(wake_at), Some(expires_at)) => Some(wake_at.min(expires_at)),
            (wake_at, expires_at) => wake_at.or(expires_at),
        }
    }
}
