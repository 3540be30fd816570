//! Conversations.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{
    Conversation, ConversationId, ConversationKind, ConversationTouch, TenantId, Timestamp, WaId, WindowOpening,
};
use dakghar_core::ports::{ConversationStore, StoreError};

use super::{MemoryStore, State, page_of};

impl State {
    pub(super) fn touch(&mut self, touch: &ConversationTouch) {
        let conversation = self.conversations.entry(touch.id).or_insert_with(|| touch.opening());
        if (touch.at, touch.message_id) > (conversation.last_message_at, conversation.last_message_id) {
            conversation.last_message_at = touch.at;
            conversation.last_message_id = touch.message_id;
        }
        conversation.first_message_at = conversation.first_message_at.map(|first| first.min(touch.at));
        conversation.also.extend(touch.also.iter().cloned());
        conversation.also.sort_unstable();
        conversation.also.dedup();
        conversation.name = conversation.name.take().max(touch.name.clone());
        if touch.opens_window {
            conversation.last_inbound_at = conversation.last_inbound_at.max(Some(touch.at));
        }
    }
}

#[async_trait]
impl ConversationStore for MemoryStore {
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        self.with(|state| batch.iter().for_each(|touch| state.touch(touch)))
    }

    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError> {
        self.with(|state| {
            let opened = batch.iter().map(|opening| {
                let found = state.conversations.get_mut(&opening.id);
                let found = found.filter(|conversation| conversation.tenant_id == opening.tenant_id);
                found.map(|conversation| {
                    conversation.last_inbound_at = conversation.last_inbound_at.max(Some(opening.at));
                })
            });
            opened.map(|opened| opened.is_some()).collect()
        })
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError> {
        self.with(|state| {
            let position = |conversation: &Conversation| (conversation.last_message_at, conversation.id);
            let mut conversations: Vec<&Conversation> = state
                .conversations
                .values()
                .filter(|conversation| conversation.tenant_id == *tenant_id)
                .filter(|conversation| before.is_none_or(|before| position(conversation) < before))
                .collect();
            conversations.sort_by_key(|conversation| std::cmp::Reverse(position(conversation)));
            page_of(conversations.into_iter().cloned(), limit)
        })
    }

    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError> {
        self.with(|state| {
            let found = state.conversations.values().filter(|conversation| {
                conversation.tenant_id == *tenant_id
                    && conversation.kind == ConversationKind::Person
                    && conversation.ids().any(|id| ids.contains(id))
            });
            found.take(limit as usize).cloned().collect()
        })
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.with(|state| {
            let conversation = state.conversations.get(id);
            conversation
                .filter(|conversation| conversation.tenant_id == *tenant_id)
                .cloned()
        })
    }
}
