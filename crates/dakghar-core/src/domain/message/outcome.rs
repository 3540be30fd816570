//! The end of a call (T5 to T9): only the holder of the epoch may record it.

use std::sync::Arc;
use std::time::Duration;

use super::super::graph_error::{self, GraphRefusal, RefusalClass};
use super::super::hold::HoldReason;
use super::super::ids::Wamid;
use super::super::send_error::SendError;
use super::super::time::Timestamp;
use super::Message;
use super::delivery::DeadReason;
use super::evidence::{Evidence, EvidenceStatus};
use super::policy::{PACED_REFUSALS_MAX, SendPolicy};
use super::status::Status;
use super::timeline::{TimelineEntry, TimelineEvent};

/// The outcome of a call to Meta, as far as this side can tell.
#[derive(Clone, Debug, PartialEq)]
pub enum SendOutcome {
    /// Meta accepted it and gave it a wamid.
    Accepted {
        /// Meta's id.
        wamid: Wamid,
    },
    /// Meta answered with an error of its own.
    Refused(GraphRefusal),
    /// No byte of the request left: Meta cannot have it.
    NotSent {
        /// The reason, for the timeline.
        why: Arc<str>,
    },
    /// The request left, or may have, and no verdict came back.
    Unknown {
        /// The reason, for the timeline.
        why: Arc<str>,
    },
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
        now: Timestamp,
        outcome: &SendOutcome,
        policy: &SendPolicy,
        jitter: f64,
    ) -> Result<Recorded, Fenced> {
        if self.delivery.status != Status::Sending || self.delivery.epoch != epoch {
            return Err(Fenced);
        }
        self.delivery.lease = None;
        self.delivery.updated_at = now;
        self.join_conversation();
        Ok(match outcome {
            SendOutcome::Accepted { wamid } => {
                self.remember_wamid(wamid, true);
                self.note_attempt(now, "sent", None);
                self.delivery.status = Status::Sent;
                self.delivery.error = None;
                self.delivery.leave_the_send_path();
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
                let wait = policy.retry.wait(self.delivery.attempts_counted(), jitter, None);
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
                let wait = policy.retry.wait(self.delivery.attempts_counted(), jitter, at_least);
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
                self.delivery.status = Status::Failed;
                self.delivery.leave_the_send_path();
                Recorded::Failed
            }
        }
    }

    /// T7, or T8 if no attempt or no time is left. The caller gives it a slot at the returned time.
    fn retry_or_give_up(&mut self, now: Timestamp, at: Timestamp) -> Option<Recorded> {
        if self.delivery.attempts_counted() >= self.accepted.attempts_max {
            self.die(now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return None;
        }
        self.requeue_at(now, at).map(Recorded::Retry)
    }

    fn wait_without_counting(&mut self, now: Timestamp, at: Timestamp) -> Option<Timestamp> {
        self.delivery.attempts_refunded += 1;
        if self.refunded_since_redrive() > PACED_REFUSALS_MAX {
            self.die(now, self.unless_maybe_sent(DeadReason::AttemptsExhausted));
            return None;
        }
        self.requeue_at(now, at)
    }

    fn requeue_at(&mut self, now: Timestamp, at: Timestamp) -> Option<Timestamp> {
        self.delivery.status = Status::Queued;
        self.delivery.drive += 1;
        if self.delivery.expires_at.is_some_and(|expires_at| expires_at <= at) {
            self.expire(now);
            return None;
        }
        self.delivery.slot_at = Some(at);
        self.delivery.note(
            TimelineEntry::new(now, TimelineEvent::Waiting)
                .detail("retry")
                .until(at),
        );
        Some(at)
    }

    fn hold_after_refusal(&mut self, now: Timestamp, reason: HoldReason) -> Recorded {
        self.delivery.attempts_refunded += 1;
        self.delivery.status = Status::Queued;
        self.hold(now, reason);
        Recorded::Held(reason)
    }

    /// Returns the number of attempts since the last redrive that do not count, because Meta asked to slow down or
    /// refused the token.
    fn refunded_since_redrive(&self) -> u32 {
        let redriven = self
            .delivery
            .timeline
            .iter()
            .rev()
            .find(|entry| entry.event == TimelineEvent::Redriven);
        self.delivery
            .attempts_refunded
            .saturating_sub(redriven.and_then(|entry| entry.attempt).unwrap_or(0))
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
