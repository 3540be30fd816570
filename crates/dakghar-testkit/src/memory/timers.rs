//! The timers of messages.

use async_trait::async_trait;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Direction, Message, PhoneNumberId, Status, TenantId, Timestamp};
use dakghar_core::ports::{DUE_BYTES_MAX, QueueEntry, StoreError, TimerStore};

use super::{MemoryStore, first, page_of};

const fn within(items: u32) -> PageLimit {
    PageLimit {
        bytes: DUE_BYTES_MAX,
        ..PageLimit::items(items)
    }
}

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
            page_of(due.into_iter().cloned(), within(limit)).items
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
            page_of(ahead.cloned(), within(limit)).items
        })
    }

    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError> {
        self.with(|state| {
            let queued = state.messages.values();
            let mut released: Vec<&Message> = queued
                .filter(|message| message.delivery.status == Status::Queued)
                .filter(|message| message.delivery.enqueued_at.is_some())
                .filter(|message| message.delivery.wake_at.is_some_and(|at| at <= until))
                .collect();
            released.sort_by_key(|message| message.delivery.wake_at);
            first(released.into_iter().map(QueueEntry::of), limit)
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
