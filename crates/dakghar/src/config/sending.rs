//! The settings of sending: its limits, and the times of its protocol.

use dakghar_core::domain::message::{RetryPolicy, SendPolicy, Timings};

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Sending" {
        WORKER_CONCURRENCY: Kind::Integer { min: 1, max: 10_000 }, "512", "Calls to Meta that one process may have under way, with those whose claim or outcome is just being stored.";
        SEND_ATTEMPTS_MAX: Kind::Integer { min: 1, max: 20 }, "5", "Attempts before a message becomes a dead letter.";
        RETRY_BASE_MS: Kind::Integer { min: 1, max: 3_600_000 }, "1000", "The upper bound of the first wait between attempts, in milliseconds; doubles with each attempt, with full jitter.";
        SEND_TIMEOUT_MS: Kind::Integer { min: 100, max: 300_000 }, "30000", "The longest a call to Meta may take, in milliseconds. Half of it, or 5 seconds if that is less, may go by until there is a connection.";
        SEND_LEASE_MS: Kind::Integer { min: 500, max: 3_600_000 }, "45000", "How long a worker holds a message it is sending, in milliseconds; a ninth of it is the safety margin. Must exceed SEND_TIMEOUT_MS by more than that margin. On MongoDB, what a worker that died was sending is taken over after about twice this time; embedded, at the next start.";
        UNKNOWN_OUTCOME_GRACE_MS: Kind::Integer { min: 100, max: 3_600_000 }, "120000", "How long a status webhook is awaited after a call whose outcome is unknown, in milliseconds.";
        UNKNOWN_OUTCOME_MAX_MS: Kind::Integer { min: 100, max: 86_400_000 }, "900000", "With unknownOutcome auto: how long after the call a message without any evidence is given up, in milliseconds.";
        SLOW_DOWN_MAX_MS: Kind::Integer { min: 1_000, max: 2_592_000_000 }, "86400000", "How long Meta may ask a message to slow down before it becomes a dead letter, in milliseconds from the first request; the message's expiresAt may be earlier.";
        RETRY_CAP_MS: Kind::Integer { min: 1, max: 86_400_000 }, "300000", "The upper bound of any wait between attempts, in milliseconds.";
    }
}

/// The limits and the times of sending.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Calls to Meta under way at most.
    pub worker_concurrency: u32,
    /// Attempts before a dead letter.
    pub attempts_max: u32,
    /// The waits between attempts and the times of the protocol.
    pub policy: SendPolicy,
}

impl Sending {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            worker_concurrency: reader.integer(&WORKER_CONCURRENCY),
            attempts_max: reader.integer(&SEND_ATTEMPTS_MAX),
            policy: read_policy(reader),
        }
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let SendPolicy { retry, timings, .. } = &self.policy;
        reader.require(
            timings.lease > timings.call_timeout + timings.lease_margin,
            "SEND_LEASE_MS must exceed SEND_TIMEOUT_MS by more than a ninth of itself, or messages could be sent twice",
        );
        reader.require(
            retry.base <= retry.cap,
            "RETRY_BASE_MS must not be greater than RETRY_CAP_MS",
        );
    }
}

fn read_policy(reader: &mut Reader<'_>) -> SendPolicy {
    let retry = RetryPolicy {
        base: reader.millis(&RETRY_BASE_MS),
        cap: reader.millis(&RETRY_CAP_MS),
    };
    let lease = reader.millis(&SEND_LEASE_MS);
    let grace = reader.millis(&UNKNOWN_OUTCOME_GRACE_MS);
    let timings = Timings {
        call_timeout: reader.millis(&SEND_TIMEOUT_MS),
        lease,
        lease_margin: lease / 9,
        grace,
        doubt_max: reader.millis(&UNKNOWN_OUTCOME_MAX_MS),
    };
    SendPolicy {
        retry,
        timings,
        slow_down_max: reader.millis(&SLOW_DOWN_MAX_MS),
    }
}
