//! Meta's reports on messages, as records beside them.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::MessageKey;
use crate::domain::message::{Reported, Standing, StatusRecord};
use crate::domain::page::{Listed, PageLimit};

/// The most reports of one message that count for its state. A message has about three for each attempt, and one to a
/// group as many for each participant.
pub const REPORTS_MAX: u32 = 1000;

/// Reports, written once and never changed.
#[async_trait]
pub trait StatusStore: Send + Sync {
    /// Stores reports in one commit. One that is known (the same status of the same message, word for word) is absorbed.
    /// Returns for each how its message stands, read when the report was there for all to see: whoever changes the message
    /// later sees the report. `None` if there is no such message; such a report is not kept.
    ///
    /// A new report gets its entry in the feed in the same transaction.
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>>;

    /// Returns what was reported on messages, without the texts, in the order of the keys. A key of another tenant finds
    /// nothing. Of a message with more than [`REPORTS_MAX`], those.
    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError>;

    /// Returns reports by their messages and digests, in that order. As [`MessageStore::load`](super::MessageStore::load)
    /// does, it reads within [`LOAD_BYTES_MAX`](super::LOAD_BYTES_MAX), and at least one.
    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>>;

    /// Returns the reports on a message, newest first. Where `next` is `None` these are all that can be read.
    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError>;
}
