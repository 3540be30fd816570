//! The timers of messages.

use async_trait::async_trait;
use dakghar_core::domain::{Direction, Message, PhoneNumberId, Status, TenantId, Timestamp};
use dakghar_core::ports::{StoreError, TimerStore};

use super::{MemoryStore, first};

#[async_trait]
impl TimerStore for MemoryStore {
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.with(|state| {
            let mut due: Vec<&Message> = state
                .messages
                .values()
                .filter(|message| message.accepted.direction == Direction::Outbound)
                .filter(|message| message.delivery.wake_at.is_some_and(|at| at <= until))
                .filter(|message| status.is_none_or(|status| message.delivery.status == status))
                .collect();
            due.sort_by_key(|message| message.delivery.wake_at);
            first(due.into_iter().cloned(), limit)
        })
    }

    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError> {
        let is_after = |at: Option<Timestamp>| at.is_some_and(|at| at > of);
        self.with(|state| {
            let ahead = state
                .messages
                .values()
                .filter(|message| message.delivery.status.is_unsettled())
                .filter(|Message { delivery, .. }| {
                    delivery.updated_at > of && (is_after(delivery.slot_at) || is_after(delivery.wake_at))
                });
            first(ahead.cloned(), limit)
        })
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.with(|state| {
            let mut count = 0;
            for message in state.messages.values_mut() {
                if message.accepted.tenant_id == *tenant_id
                    && message.delivery.status == Status::Held
                    && phone_number_id.is_none_or(|number| message.accepted.phone_number_id == *number)
                {
                    message.delivery.wake_at = Some(at);
                    message.delivery.updated_at = message.delivery.updated_at.max(at);
                    message.delivery.version += 1;
                    count += 1;
                }
            }
            count
        })
    }
}
