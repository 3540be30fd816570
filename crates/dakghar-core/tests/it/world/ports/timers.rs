//! The timers of messages at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::{Message, PhoneNumberId, Status, TenantId, Timestamp};
use dakghar_core::ports::{QueueEntry, StoreError, TimerStore};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl TimerStore for Near {
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.once(Call::Due, move |shared| at_once(shared.store.due(until, status, limit)))
            .await
    }

    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.once(Call::Due, move |shared| at_once(shared.store.ahead(of, limit)))
            .await
    }

    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError> {
        self.once(Call::Due, move |shared| at_once(shared.store.released(until, limit)))
            .await
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (life, tenant_id, number) = (self.life, *tenant_id, phone_number_id.cloned());
        let wake = move |shared: &Shared| {
            let before = shared.promises.all(&shared.store);
            let woken = at_once(shared.store.wake_held(&tenant_id, number.as_ref(), at));
            for before in before {
                if shared.look(before.key()).as_ref() != Some(&before) {
                    shared.promises.woken(tenant_id, &before);
                    shared.show(life, Call::WakeHeld, Some(before));
                }
            }
            woken
        };
        self.once(Call::WakeHeld, wake).await
    }
}
