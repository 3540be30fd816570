//! What a message waits for, in words for its tenant.

use super::Message;
use super::status::Status;
use super::timeline::TimelineEvent;
use crate::domain::time::Timestamp;

/// Waits for the date that its client gave.
const SEND_AT: &str = "send_at";
/// Waits for its turn among the messages of its number.
const TURN: &str = "turn";
/// Waits until a hold ends; the hold has a reason of its own.
const HOLD: &str = "hold";
/// Waits for a report of Meta's, because nobody knows whether Meta has it.
const EVIDENCE: &str = "evidence";

/// A wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait<'m> {
    /// What is waited for.
    pub reason: &'m str,
    /// The end of the wait, as far as it is known.
    pub until: Option<Timestamp>,
}

impl Message {
    /// Returns what the message waits for; `None` if it is under way or over.
    pub fn wait(&self) -> Option<Wait<'_>> {
        let delivery = &self.delivery;
        let wait = |reason, until| Some(Wait { reason, until });
        match delivery.status {
            Status::Held => wait(HOLD, None),
            Status::InDoubt => wait(EVIDENCE, delivery.grace_until),
            Status::Queued => match delivery.timeline.last() {
                Some(newest) if newest.event == TimelineEvent::Waiting => wait(
                    newest.detail.as_deref().unwrap_or(TURN),
                    newest.until.or(delivery.slot_at),
                ),
                Some(newest) if newest.event == TimelineEvent::Accepted && newest.until.is_some() => {
                    wait(SEND_AT, newest.until)
                }
                _ => wait(TURN, delivery.slot_at),
            },
            _ => None,
        }
    }
}
