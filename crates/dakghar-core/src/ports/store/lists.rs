//! Lists of messages, for people.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::{MessageId, TenantId};
use crate::domain::message::Message;
use crate::domain::page::{Listed, MessageQuery, PageLimit};

/// Lists and counts of messages.
///
/// A page ends where its [`PageLimit`] says, and the store reads little more than what is on it.
#[async_trait]
pub trait ListStore: Send + Sync {
    /// Returns the tenant's messages that match the query, newest first.
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError>;

    /// Returns messages that ended as dead, failed or expired, newest first, older than `before`. Of one tenant or (for
    /// the operator) of all.
    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError>;

    /// Returns the number of the tenant's messages that are not settled, counted up to `limit`.
    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError>;
}
