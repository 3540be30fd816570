//! The secrets of an endpoint.

use super::super::time::Timestamp;

/// A secret that calls are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSecret {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// The time it was added.
    pub added_at: Timestamp,
    /// The time from which it signs no more; `None` for the present one.
    pub valid_until: Option<Timestamp>,
}

impl EndpointSecret {
    /// The present secret from now on.
    pub const fn present(sealed: Vec<u8>, now: Timestamp) -> Self {
        Self {
            sealed,
            added_at: now,
            valid_until: None,
        }
    }

    /// True if calls are signed with it.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}
