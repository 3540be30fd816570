//! Conversations between a number and a person.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::conversation::{Conversation, ConversationTouch, WindowOpening};
use crate::domain::ids::{ConversationId, TenantId, WaId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::time::Timestamp;

/// Conversations, created and moved forward by the messages in them.
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Creates conversations or moves them forward, in one commit.
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError>;

    /// Moves the last word of people forward, in conversations that exist; their messages stay as they are. Returns for each
    /// whether its conversation exists. Doing it again, or late, is harmless.
    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError>;

    /// Returns the tenant's conversations, the one with the newest message first. Only those after `before` (time and
    /// id of the last one on the previous page).
    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError>;

    /// Returns conversations with people under these ids, be it their key or a further id: each once, in any order, at most
    /// `limit`. Not those of groups.
    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError>;

    /// Returns one conversation.
    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError>;
}
