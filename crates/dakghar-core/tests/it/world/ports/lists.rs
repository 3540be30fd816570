//! Lists of messages at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::domain::{Message, MessageId, TenantId};
use dakghar_core::ports::{ListStore, StoreError};

use super::{Near, Shared, at_once};
use crate::world::seen::Seen;
use crate::world::wire::Call;

#[async_trait]
impl ListStore for Near {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError> {
        let (tenant_id, query) = (*tenant_id, query.clone());
        let list = move |shared: &Shared| {
            let listed = at_once(shared.store.messages(&tenant_id, &query))?;
            for message in &listed.items {
                shared.promises.found(tenant_id, Some(&Seen(message.clone())));
            }
            Ok(listed)
        };
        self.once(Call::Query, list).await
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        let tenant_id = tenant_id.copied();
        let list = move |shared: &Shared| {
            let listed = at_once(shared.store.dead_letters(tenant_id.as_ref(), before, limit))?;
            if let Some(tenant_id) = tenant_id {
                for message in &listed.items {
                    shared.promises.found(tenant_id, Some(&Seen(message.clone())));
                }
            }
            Ok(listed)
        };
        self.once(Call::Query, list).await
    }

    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError> {
        let tenants = tenants.to_vec();
        self.once(Call::Query, move |shared| {
            at_once(shared.store.count_unsettled(&tenants))
        })
        .await
    }
}
