//! Leases: the right of one process to work on a record, for a limited time.

use std::sync::Arc;
use std::time::Duration;

use super::time::Timestamp;

/// The right to work on a record, or to call Meta for a message, for a limited time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker process.
    pub owner: Arc<str>,
    /// The time it ends, by the store's clock.
    pub until: Timestamp,
}

impl Lease {
    /// Makes a lease that begins now.
    pub fn begin(owner: &Arc<str>, now: Timestamp, length: Duration) -> Self {
        Self {
            owner: owner.clone(),
            until: now + length,
        }
    }

    /// True if it is another process's and goes on. One that ends later than the `longest` one can is by a clock that was wrong.
    pub fn is_of_other(&self, owner: &str, now: Timestamp, longest: Duration) -> bool {
        &*self.owner != owner && self.until > now && self.until <= now + longest
    }
}
