//! Erasing what belongs to a tenant.

use async_trait::async_trait;
use dakghar_core::domain::TenantId;
use dakghar_core::ports::{Erasure, StoreError};

use super::{MemoryStore, State};

impl State {
    fn erase(&mut self, tenant_id: &TenantId, limit: u32) -> u64 {
        let mut left = limit;
        let mut is_erased = |owner: Option<TenantId>| {
            let erased = left > 0 && owner == Some(*tenant_id);
            left -= u32::from(erased);
            erased
        };
        self.messages
            .retain(|_, message| !is_erased(Some(message.accepted.tenant_id)));
        self.conversations
            .retain(|_, conversation| !is_erased(Some(conversation.tenant_id)));
        self.events.retain(|_, event| !is_erased(event.tenant_id));
        self.by_key.retain(|_, id| self.messages.contains_key(id));
        self.received.retain(|_, id| self.messages.contains_key(id));
        u64::from(limit - left)
    }
}

#[async_trait]
impl Erasure for MemoryStore {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| state.erase(tenant_id, limit))
    }
}
