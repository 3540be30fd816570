//! The hold of all sending, and what waits behind it.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::hold::{SendingHold, UnsettledCount};
use crate::domain::time::Present;

/// The hold of a whole installation.
#[async_trait]
pub trait HoldStore: Send + Sync {
    /// Returns the hold of all sending, if there is one. Unlike elsewhere, one that cannot be read counts: it is a hold
    /// since the beginning of time.
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError>;

    /// Begins the hold, or replaces it; `None` ends it.
    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError>;

    /// Counts the messages that are not settled, by tenant, number and status, the most first. Returns at most `limit`
    /// counts.
    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError>;
}
