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
    /// Returns the tenant's messages that match the query, newest first. One with a status that reports may tell matches if
    /// it is stored with any of [`stored_as`](crate::domain::Status::stored_as): the caller merges the reports and looks again.
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError>;

    /// Returns messages that ended as dead, failed or expired, newest first, older than `before`. Of one tenant or (for
    /// the operator) of all.
    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError>;

    /// Returns the numbers of messages that are not settled, for each tenant counted up to the number beside it, in the
    /// order asked.
    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError>;
}
