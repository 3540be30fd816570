//! Shared by both stores: ids that tell a time, durations, and records that cannot be read.

pub(crate) mod api_keys;
pub(crate) mod auto_redrive;
pub(crate) mod departure;
pub(crate) mod erasure;
pub(crate) mod id_time;
pub(crate) mod known_token;
mod lease;
pub(crate) mod receipt;
pub(crate) mod replay;
mod send_error;
pub(crate) mod sending_rules;
pub(crate) mod signup;
pub(crate) mod standing;
pub(crate) mod unreadable;
pub(crate) mod uptime;
pub(crate) mod waiting_line;

use std::time::Duration;

/// A duration as both stores keep it.
pub(crate) fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
