//! The end of a call (T5 to T9): only the holder of the epoch may record it.

use std::sync::Arc;
use std::time::Duration;

use super::super::graph_error::{self, GraphRefusal, RefusalClass};
use super::super::hold::HoldReason;
use super::super::ids::{WaId, Wamid};
use super::super::pacing::PAUSE_MAX;
use super::super::send_error::SendError;
use super::super::time::{Present, Timestamp};
use super::Message;
use super::delivery::DeadReason;
use super::evidence::{Evidence, EvidenceStatus};
use super::policy::SendPolicy;
use super::receipt::Receipt;
use super::status::Status;
use super::timeline::{SLOW_DOWN, TimelineEntry, TimelineEvent};

/// Waits for the next attempt.
const RETRY: &str = "retry";
/// The detail of a wait because Meta's host cannot be reached.
pub const HOST_UNREACHABLE: &str = "host_unreachable";
/// Waits because the worker was stopped before the call.
const WORKER_STOPPED: &str = "worker_stopped";

/// The outcome of a call to Meta, as far as this side can tell.
#[derive(Clone, Debug, PartialEq)]
pub enum SendOutcome {
    /// Meta accepted it and gave it a wamid.
    Accepted {
        /// Meta's id.
        wamid: Wamid,
        /// Under which ids Meta knows the recipient, where it says so: not always the one that was given.
        known_as: Vec<WaId>,
        /// What its answer said beyond that.
        receipt: Receipt,
    },
    /// Meta answered with an error of its own.
    Refused(GraphRefusal),
    /// Something between Dakghar and Meta refused the request and did not pass it on.
    TurnedAway {
        /// The HTTP status of its answer.
        http_status: u16,
        /// The reason, for the timeline.
        why: Arc<str>,
    },
    /// No byte of the request left: Meta cannot have it.
    NotSent {
        /// The party at fault.
        cause: NotSentCause,
        /// The reason, for the timeline.
        why: Arc<str>,
    },
    /// The request left, or may have, and no verdict came back.
    Unknown {
        /// The reason, for the timeline.
        why: Arc<str>,
    },
}

/// The party at fault when no byte of a request left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSentCause {
    /// Meta's host cannot be reached: its name, the connection, TLS, or no file handle for it.
    Host,
    /// The worker was stopped before the call.
    Worker,
    /// The message or its access token cannot be written into a request.
    Request,
}

/// The effect of a recorded outcome.
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
    /// Another attempt follows at this time. The account or the app of the number should rest until then; the number's own
    /// pace has nothing to do with it.
    AllowanceSlowDown(Timestamp),
    /// Another attempt follows at this time, and what goes to the same person from the same number waits behind it.
    PairSlowDown(Timestamp),
    /// Sending is stopped for the number.
    Held(HoldReason),
    /// The outcome is unknown; evidence is awaited.
    InDoubt,
    /// No attempt or no time is left.
    GaveUp,
}

/// The message is no longer this worker's: it was taken over, or settled by a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is no longer held under this epoch")]
pub struct Fenced;

impl Message {
    /// Records the outcome of a call (T5 to T9), and the hold that an answer causes (T16). Only the holder of the epoch
    /// may do so.
    pub fn record_outcome(
        &mut self,
        epoch: u64,
        present: impl Into<Present>,
        outcome: &SendOutcome,
        policy: &SendPolicy,
        jitter: f64,
    ) -> Result<Recorded, Fenced> {
        if self.delivery.status != Status::Sending || self.delivery.epoch != epoch {
            return Err(Fenced);
        }
        let present = present.into();
        let now = present.now;
        self.delivery.lease = None;
        self.delivery.updated_at = now;
        self.join_conversation();
        Ok(match outcome {
            SendOutcome::Accepted { wamid, receipt, .. } => {
                self.remember_wamid(wamid, true);
                self.note_attempt(now, "sent", None);
                self.delivery.status = Status::Sent;
                self.delivery.error = None;
                self.delivery.receipt = receipt.beyond(self.accepted.peer_id.as_ref().map(WaId::as_str));
                self.delivery.leave_the_send_path();
                if wamid.is_mock() {
                    self.report_simulated(now, wamid);
                }
                Recorded::Sent
            }
            SendOutcome::Refused(refusal) => self.record_refusal(present, refusal, policy, jitter),
            SendOutcome::TurnedAway { http_status, why } => {
                let error = SendError {
                    http_status: Some(*http_status),
                    ..no_answer(why)
                };
                self.note_attempt(now, "turned_away", Some(error));
                self.count_and_retry(present, policy, jitter, None)
            }
            SendOutcome::NotSent { cause, why } => {
                self.note_attempt(now, "not_sent", Some(no_answer(why)));
                let reason = match cause {
                    NotSentCause::Request => return Ok(self.count_and_retry(present, policy, jitter, None)),
                    NotSentCause::Host => HOST_UNREACHABLE,
                    NotSentCause::Worker => WORKER_STOPPED,
                };
                let wait = policy.retry.wait(self.waits_for(reason) + 1, jitter, None);
                self.wait_without_counting(present, now + wait, reason)
                    .map_or(Recorded::GaveUp, Recorded::Retry)
            }
            SendOutcome::Unknown { why } => {
                self.doubt(now, Some(no_answer(why)), policy.timings.grace);
                Recorded::InDoubt
            }
        })
    }

    /// Gives a simulated message the statuses that Meta would send, since nobody reports on it.
    fn report_simulated(&mut self, now: Timestamp, wamid: &Wamid) {
        for status in [EvidenceStatus::Sent, EvidenceStatus::Delivered] {
            let evidence = Evidence {
                status,
                wamid: wamid.clone(),
                attempt: Some(self.delivery.attempt),
                reported_at: Some(now),
                error: None,
                by_webhook: true,
                participant: None,
            };
            self.merge_evidence(now, &evidence);
        }
    }

    fn record_refusal(
        &mut self,
        present: Present,
        refusal: &GraphRefusal,
        policy: &SendPolicy,
        jitter: f64,
    ) -> Recorded {
        let now = present.now;
        let error = refusal.to_send_error();
        let class = graph_error::classify(refusal).class;
        self.note_attempt(now, "refused", Some(error));
        match class {
            RefusalClass::Retry { after } => {
                self.count_and_retry(present, policy, jitter, after.max(refusal.retry_after))
            }
            RefusalClass::PaceNumber | RefusalClass::PaceAccount | RefusalClass::PaceApp => {
                let wait = policy
                    .retry
                    .wait(self.waits_for(SLOW_DOWN) + 1, jitter.max(0.5), None)
                    .min(PAUSE_MAX)
                    .max(refusal.retry_after.unwrap_or_default());
                let recorded: fn(Timestamp) -> Recorded = match class {
                    RefusalClass::PaceNumber => Recorded::SlowDown,
                    _ => Recorded::AllowanceSlowDown,
                };
                self.slow_down(present, now + wait, policy)
                    .map_or(Recorded::GaveUp, recorded)
            }
            RefusalClass::PacePair => {
                // Meta asks for 4^X seconds; its pair limit is one message in six.
                let wait = Duration::from_secs(6 * 4u64.pow(self.waits_for(SLOW_DOWN).min(4)));
                let wait = wait
                    .max(refusal.retry_after.unwrap_or_default())
                    .mul_f64(1.0 + jitter * 0.2);
                self.slow_down(present, now + wait, policy)
                    .map_or(Recorded::GaveUp, Recorded::PairSlowDown)
            }
            RefusalClass::Token => self.hold_after_refusal(present, HoldReason::CredentialsInvalid),
            RefusalClass::Account => self.hold_after_refusal(present, HoldReason::AccountRestricted),
            RefusalClass::Fail => {
                self.delivery.status = Status::Failed;
                self.delivery.leave_the_send_path();
                Recorded::Failed
            }
        }
    }

    /// T7, or T8 if no attempt or no time is left. The caller gives it a slot at the returned time.
    fn count_and_retry(
        &mut self,
        present: Present,
        policy: &SendPolicy,
        jitter: f64,
        at_least: Option<Duration>,
    ) -> Recorded {
        let counted = self.delivery.attempts_counted();
        if counted >= self.accepted.attempts_max {
            self.die(present.now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return Recorded::GaveUp;
        }
        let wait = policy.retry.wait(counted, jitter, at_least);
        self.requeue_at(present, present.now + wait, RETRY)
            .map_or(Recorded::GaveUp, Recorded::Retry)
    }

    /// T7 after a request to slow down, or T8 if Meta has asked for too long.
    fn slow_down(&mut self, present: Present, at: Timestamp, policy: &SendPolicy) -> Option<Timestamp> {
        let now = present.now;
        let first = self
            .delivery
            .first_slow_down()
            .map(|place| self.delivery.timeline[place].at);
        if first.is_some_and(|first| first + policy.slow_down_max <= now) {
            self.delivery.attempts_refunded += 1;
            self.die(now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return None;
        }
        self.wait_without_counting(present, at, SLOW_DOWN)
    }

    fn wait_without_counting(&mut self, present: Present, at: Timestamp, reason: &str) -> Option<Timestamp> {
        self.delivery.attempts_refunded += 1;
        self.requeue_at(present, at, reason)
    }

    fn requeue_at(&mut self, present: Present, at: Timestamp, reason: &str) -> Option<Timestamp> {
        let now = present.now;
        self.delivery.status = Status::Queued;
        self.delivery.drive += 1;
        // The date that the wall shows when the wait is over, at the latest.
        let date = present.wall + at.since(now);
        if self.delivery.expires_at.is_some_and(|expires_at| expires_at <= date) {
            self.expire(now);
            return None;
        }
        self.delivery.slot_at = Some(at);
        self.delivery
            .note(TimelineEntry::new(now, TimelineEvent::Waiting).detail(reason).until(at));
        Some(at)
    }

    fn hold_after_refusal(&mut self, present: Present, reason: HoldReason) -> Recorded {
        self.delivery.attempts_refunded += 1;
        self.delivery.status = Status::Queued;
        self.hold(present, reason);
        Recorded::Held(reason)
    }

    /// Returns how often it waited for this reason since the last redrive, as far as its timeline tells. That is enough
    /// for a wait to reach its upper bound. Each reason is counted by itself.
    fn waits_for(&self, reason: &str) -> u32 {
        let newest = self.delivery.timeline.iter().rev();
        let since_redrive = newest.take_while(|entry| entry.event != TimelineEvent::Redriven);
        let waits = since_redrive.filter(|entry| entry.is_wait_for(reason));
        u32::try_from(waits.count()).unwrap_or(u32::MAX)
    }

    fn note_attempt(&mut self, now: Timestamp, outcome: &str, error: Option<SendError>) {
        self.delivery.error.clone_from(&error);
        self.delivery.note(
            TimelineEntry::new(now, TimelineEvent::Attempt)
                .attempt(self.delivery.attempt)
                .detail(outcome)
                .error(error),
        );
    }
}

/// The error of a call that brought no answer of Meta's.
fn no_answer(why: &Arc<str>) -> SendError {
    SendError {
        message: why.clone(),
        ..SendError::default()
    }
}
