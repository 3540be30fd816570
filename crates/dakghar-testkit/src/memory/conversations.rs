//! Conversations.

use async_trait::async_trait;
use dakghar_core::domain::{Conversation, ConversationId, ConversationTouch, Direction, TenantId, Timestamp};
use dakghar_core::ports::{ConversationStore, StoreError};

use super::{MemoryStore, State, first};

impl State {
    pub(super) fn touch(&mut self, touch: &ConversationTouch) {
        let thread = self.conversations.entry(touch.id).or_insert_with(|| touch.opening());
        if (touch.at, touch.message_id) > (thread.last_message_at, thread.last_message_id) {
            thread.last_message_at = touch.at;
            thread.last_message_id = touch.message_id;
        }
        if touch.direction == Direction::Inbound {
            thread.last_inbound_at = thread.last_inbound_at.max(Some(touch.at));
        }
    }
}

#[async_trait]
impl ConversationStore for MemoryStore {
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        self.with(|state| batch.iter().for_each(|touch| state.touch(touch)))
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.with(|state| {
            let position = |thread: &Conversation| (thread.last_message_at, thread.id);
            let mut threads: Vec<&Conversation> = state
                .conversations
                .values()
                .filter(|thread| thread.tenant_id == *tenant_id)
                .filter(|thread| before.is_none_or(|before| position(thread) < before))
                .collect();
            threads.sort_by_key(|thread| std::cmp::Reverse(position(thread)));
            first(threads.into_iter().cloned(), limit)
        })
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.with(|state| {
            let thread = state.conversations.get(id);
            thread.filter(|thread| thread.tenant_id == *tenant_id).cloned()
        })
    }
}
