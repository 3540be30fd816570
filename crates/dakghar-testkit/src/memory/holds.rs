//! The hold of all sending, and what waits behind it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dakghar_core::domain::Present;
use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::ports::{HoldStore, StoreError};

use super::MemoryStore;

#[async_trait]
impl HoldStore for MemoryStore {
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError> {
        self.with(|state| state.sending_hold)
    }

    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError> {
        self.with(|state| state.sending_hold = hold)
    }

    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError> {
        self.with(|state| {
            let mut counts: BTreeMap<_, UnsettledCount> = BTreeMap::new();
            let unsettled = state.messages.values();
            for message in unsettled.filter(|message| message.delivery.status.is_unsettled()) {
                let (accepted, delivery) = (&message.accepted, &message.delivery);
                let of = (
                    accepted.tenant_id,
                    accepted.phone_number_id.clone(),
                    delivery.status.as_str(),
                );
                let count = counts.entry(of).or_insert_with(|| UnsettledCount {
                    tenant_id: accepted.tenant_id,
                    phone_number_id: accepted.phone_number_id.clone(),
                    status: delivery.status,
                    messages: 0,
                    oldest: accepted.created_at,
                    later: 0,
                    expired: 0,
                });
                count.messages += 1;
                count.oldest = count.oldest.min(accepted.created_at);
                count.later += u64::from(delivery.slot_at.is_some_and(|at| at > present.now));
                count.expired += u64::from(delivery.expires_at.is_some_and(|at| at <= present.wall));
            }
            let mut counts: Vec<_> = counts.into_values().collect();
            counts.sort_by_key(|count| std::cmp::Reverse(count.messages));
            counts.truncate(limit as usize);
            counts
        })
    }
}
